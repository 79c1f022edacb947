// SPDX-License-Identifier: Apache-2.0
// capabilities.h: the capability sets of the calling task, by the raw system calls: three sets of
// 64 bits do not need a library.
//
// Source: capabilities(7), capget(2).
#pragma once

#include <cstdint>
#include <string>

#include "op/op.h"

namespace pivotcheck::kernel {

// A bit for each: 1 << CAP_SYS_ADMIN, ...
std::uint64_t capability_bits(Capabilities capabilities);

// Takes them out of the permitted, effective and inheritable sets, by system calls alone. 0 or an
// errno.
int drop_capabilities(std::uint64_t bits);

// The names of those that the calling process lacks though a root world's task A must have them; ""
// if none.
std::string missing_capabilities();

}  // namespace pivotcheck::kernel

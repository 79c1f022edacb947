// SPDX-License-Identifier: Apache-2.0
// capabilities.h: the capability sets of the calling task, by system calls.
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

// Those of them that are permitted, and no others, become effective; a refusal is ignored.
void set_effective_capabilities(std::uint64_t bits);

// The names of the capabilities that task A of a root world must have and the caller lacks; "" if
// none.
std::string missing_capabilities();

}  // namespace pivotcheck::kernel

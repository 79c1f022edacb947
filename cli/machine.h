// SPDX-License-Identifier: Apache-2.0
// machine.h: what the command needs for itself before it can try anything: a stack, descriptors
// and a /proc. Where one is too small or missing, that is said in one line, instead of what fails later.
#pragma once

#include <cstddef>
#include <string>

#include "options/options.h"

namespace pivotcheck::cli {

// Raises the soft limits of stack and descriptors to what is needed or, where the hard limit is
// lower, as far as it goes.
void raise_limits();

// What is there, and whether it is enough; `change` is empty if it is.
struct Resource {
  std::string name;    // "descriptors"
  std::string what;    // "8, and 34 are needed"
  std::string change;  // "ulimit -n 34"
};
Resource stack_resource();
Resource descriptor_resource(std::size_t jobs = 1);
Resource proc_resource();

// Complains, and returns false, where one of them is not enough for that many processes.
bool machine_is_fit(std::size_t jobs = 1);

}  // namespace pivotcheck::cli

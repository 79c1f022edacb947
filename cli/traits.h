// SPDX-License-Identifier: Apache-2.0
// traits.h: the traits with which a command predicts, and its option --trait.
#pragma once

#include <optional>
#include <string>

#include "model/traits.h"
#include "options/options.h"

namespace pivotcheck::cli {

// "--trait A=on,B=off": what the command line says instead of what the kernel answered.
OptionSpec trait_option(std::string* changes);

// Those of the running kernel (check/trial/probed_traits.h), with the changes. What is not as its
// release should have it is said on standard error. nullopt where the text is no list of traits:
// that was said.
std::optional<KernelTraits> traits_with_remarks(const std::string& changes);

}  // namespace pivotcheck::cli

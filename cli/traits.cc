// SPDX-License-Identifier: Apache-2.0
// traits.cc: what --trait says, and what the probes found.
#include "traits.h"

#include "check/trial/probed_traits.h"
#include "output.h"

namespace pivotcheck::cli {

OptionSpec trait_option(std::string* changes) {
  return {"--trait", changes,
          "NAME=on, NAME=off or NAME=probe, with commas between: what is predicted instead of what "
          "the kernel answers when it is asked (pivotcheck doctor lists the traits)"};
}

std::optional<KernelTraits> traits_with_remarks(const std::string& changes) {
  const auto traits = traits_with(probed_traits().traits, changes);
  if (!traits) {
    complain("--trait: " + traits.error().what);
    return std::nullopt;
  }
  for (const std::string& remark : probed_traits().remarks()) complain(remark);
  return *traits;
}

}  // namespace pivotcheck::cli

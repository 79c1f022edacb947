// SPDX-License-Identifier: Apache-2.0
// probed_traits.h: the traits of the running kernel (model/traits.h), asked of it and not of its
// name.
//
//     for each trait, in the order of the table:
//       predict its probe with the trait on, and with it off; the others as known so far
//       the same?                 what the trait is about can't be had here      moot
//       does the kernel do as predicted for its release?                         as_release
//       does it do as predicted with the trait the other way round?              otherwise
//       neither                   a kernel that the model does not know          neither
//
// All probes together take about 10 ms, and a tenth of a second in an emulated guest. Where no
// world can be made, the release has to do.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "model/predict.h"
#include "model/traits.h"

namespace pivotcheck {

struct TraitAnswer {
  enum class Kind : unsigned char { as_release, otherwise, neither, moot };
  const TraitInfo* trait = nullptr;
  bool is_on = false;
  Kind kind = Kind::as_release;
};

struct ProbedTraits {
  KernelTraits traits;
  std::vector<TraitAnswer> answers = {};  // of each trait; empty where no probe ran
  std::string unasked = {};               // why no probe ran; "": they did

  // What is not as the release says, or not known, for people: a line each.
  [[nodiscard]] std::vector<std::string> remarks() const;
};

// The running kernel's. Asked once in a process, and in none of the children that it forks then.
const ProbedTraits& probed_traits();

// The same of any kernel: `agrees` performs a prediction and says whether all was so.
using Agrees = std::function<Expected<bool>(const Prediction&)>;
ProbedTraits probe_traits(const Release& release, Privilege privilege, const Agrees& agrees);

// The probed traits, with some of them set by hand: "NAME=on", "NAME=off" or "NAME=probe", with
// commas between. A failure says what is wrong with the text.
Expected<KernelTraits> traits_with(KernelTraits traits, std::string_view changes);

}  // namespace pivotcheck

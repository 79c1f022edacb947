// SPDX-License-Identifier: Apache-2.0
// traits.h: what differs between the kernels that the model predicts, as one table; the rows are in
// trait_rows.h. The model states the contract; a trait is for what changed between releases, and
// for quirks: places where a kernel departs from the contract, each with an entry in FINDINGS.md.
//
//     KernelTraits traits = KernelTraits::for_release(release);   by its number, a fallback
//     traits.umount_takes_busy_copies                             what the model asks
//     probed_traits()                                             asked of the running kernel
//                                                                 (check/trial/probed_traits.h)
//
// Numbers lie: mends are backported, and taken back. So each trait has a probe, a scenario that
// kernels answer one way or the other. The model never asks uname.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/release.h"

namespace pivotcheck {

struct KernelTraits;

enum class Trait : unsigned char {
#define TRAIT(identifier, ...) identifier,
#include "model/trait_rows.h"
#undef TRAIT
};

#define TRAIT(...) +1
inline constexpr std::size_t traits_count =
#include "model/trait_rows.h"
    ;
#undef TRAIT

// Releases are ordered by number, so 6.12.117 comes before 6.13: what a stable release mends ends
// there, and begins again with the next series.
struct ReleaseSpan {
  Release from;
  Release before = {{std::numeric_limits<int>::max(), 0, 0}};
};

class ReleaseSpans {
 public:
  constexpr ReleaseSpans(std::initializer_list<ReleaseSpan> spans) {
    for (const ReleaseSpan& span : spans) spans_[count_++] = span;
  }
  [[nodiscard]] constexpr bool contain(const Release& release) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (spans_[i].from <= release && release < spans_[i].before) return true;
    }
    return false;
  }

 private:
  std::array<ReleaseSpan, 4> spans_{};
  std::size_t count_ = 0;
};

struct TraitInfo {
  std::string_view name = {};      // "umount_takes_busy_copies"
  bool KernelTraits::*value = {};
  bool is_quirk = false;           // a departure from the contract; else one of two ways to keep it
  std::string_view sentence = {};  // what kernels do that have it
  ReleaseSpans in = {};
  std::string_view finding = {};   // its heading in FINDINGS.md; "": there is none
  std::string_view probe = {};     // a scenario; its last answer, or its state, is the kernel's own
};

// Without arguments those of 6.18: that is the kernel which tests without a kernel stand on.
struct KernelTraits {
  static constexpr Release usual{{6, 18, 0}};

#define TRAIT(identifier, ...) bool identifier = TraitInfo{__VA_ARGS__}.in.contain(usual);
#include "model/trait_rows.h"
#undef TRAIT

  bool operator==(const KernelTraits&) const = default;

  static KernelTraits contract();  // what was promised: no quirk
  static KernelTraits for_release(const Release& release);
};

std::span<const TraitInfo> trait_table();  // in the order of the enumeration
const TraitInfo& info(Trait trait);
const TraitInfo* find_trait(std::string_view name);  // nullptr if there is no such trait

}  // namespace pivotcheck

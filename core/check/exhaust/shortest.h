// SPDX-License-Identifier: Apache-2.0
// shortest.h: of each rule and each situation the shortest sequence that reaches it, in memory that
// the processes of a search share.
//
// Because a search goes by depth, the first sequence that is noted is as short as any. Which of
// several of that length it is depends on which process is first; with one process it is always
// the same.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "check/exhaust/expander.h"
#include "check/gen/situations.h"
#include "model/rules.h"

namespace pivotcheck::exhaust {

// First the rules, in the order of rule_table(); then the situations.
class Targets {
 public:
  static std::size_t count();
  static bool is_rule(std::size_t target);
  static std::string_view name(std::size_t target);
  static std::size_t of(Rule rule);
  static std::size_t of(std::size_t situation);
};

class Shortest {
 public:
  static constexpr std::size_t length_max = 20;

  // What the transition, at the end of the sequence, reaches: its rule; and the situations, of
  // which the model is asked only while some are not reached. Returns what nothing reached before.
  std::vector<std::size_t> note(const Space& space, Sequence sequence, const Transition& transition,
                                const KernelTraits& traits);
  // False if something has reached it before.
  bool note(std::size_t target, Sequence sequence);

  // nullopt: nothing has reached it.
  [[nodiscard]] std::optional<std::vector<Letter>> sequence(std::size_t target) const;

 private:
  static constexpr std::size_t targets_max = 256;
  enum class Step : unsigned char { free, taken, written };
  struct Entry {
    std::atomic<Step> step{Step::free};
    std::uint8_t length = 0;
    std::array<Letter, length_max> letters{};
  };

  std::array<Entry, targets_max> entries_{};
  std::atomic<std::uint32_t> situations_reached_{0};
};

}  // namespace pivotcheck::exhaust

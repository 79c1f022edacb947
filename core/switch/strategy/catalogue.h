// SPDX-License-Identifier: Apache-2.0
// catalogue.h: the ways to switch root: the name of each, what it does and what it guarantees. This
// is what `pivotcheck strategies` prints. The steps are in one file for each strategy (step.h).
// This header is installed with root_switch.h; it needs only the standard library.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace pivotcheck {

enum class Strategy : unsigned char {
  put_old,
  dot_dot,
  manual,
  proc_first,
  tmpfs_sandbox,
  move_chroot,
  chroot,
  template_,
};

struct StrategyInfo {
  Strategy strategy;
  std::string_view name;       // "dot-dot": as in --strategy
  std::string_view sequence;   // what it does, one line
  std::string_view guarantee;  // what holds for the command afterwards, and what does not
};

// In the order of the enum.
std::span<const StrategyInfo> strategies();
const StrategyInfo& info(Strategy strategy);
std::optional<Strategy> find_strategy(std::string_view name);

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// catalogue.h: the ways to switch root, by name, with what each one does and what it promises: what
// `pivotcheck strategies` prints. The steps themselves are in step.h and in one file for each. This
// header is installed, beside root_switch.h; it needs nothing but the standard library.
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
  std::string_view sequence;   // what it does, in a line
  std::string_view guarantee;  // what holds for the command afterwards, and what does not
};

// In the order of the enum.
std::span<const StrategyInfo> strategies();
const StrategyInfo& info(Strategy strategy);
std::optional<Strategy> find_strategy(std::string_view name);

}  // namespace pivotcheck

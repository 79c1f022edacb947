// SPDX-License-Identifier: Apache-2.0
// cast.cc: what cast.h says.
#include "check/driver/cast.h"

#include <algorithm>

namespace pivotcheck::kernel {
namespace {

// After this the task has ended, or has credentials of which there is no way back.
bool leaves_no_way_back(const Op& op) {
  if (const auto* unshare = std::get_if<Unshare>(&op)) {
    return unshare->kinds.has(NamespaceKind::user);
  }
  if (const auto* setns = std::get_if<Setns>(&op)) return setns->kinds.has(NamespaceKind::user);
  return std::holds_alternative<Exit>(op) || std::holds_alternative<DropCapabilities>(op);
}

class Casting {
 public:
  explicit Casting(std::size_t steps) {
    cast_.performer.reserve(steps);
    cast_.subject.reserve(steps);
    join("A", 0);
  }

  // What is wrong with this step; "" if nothing is.
  std::string add(const Step& step) {
    const int performer = find(step.task.text);
    if (performer < 0 || ended_[static_cast<std::size_t>(performer)]) {
      return "no task " + step.task.text;
    }
    int subject = -1;
    if (const auto* spawn = std::get_if<Spawn>(&step.op)) {
      if (find(spawn->task.text) >= 0) return "a second task " + spawn->task.text;
      if (cast_.names.size() == tasks_max) return "more than 64 tasks";
      subject = join(spawn->task.text, performer);
    } else if (const auto* setns = std::get_if<Setns>(&step.op)) {
      subject = find(setns->task.text);
      if (subject < 0 || ended_[static_cast<std::size_t>(subject)]) {
        return "no task " + setns->task.text;
      }
    } else if (std::holds_alternative<Exit>(step.op)) {
      ended_[static_cast<std::size_t>(performer)] = true;
    }
    if (performer == 0 && leaves_no_way_back(step.op)) cast_.first_is_forked = true;
    const auto* unshare = std::get_if<Unshare>(&step.op);
    if (unshare != nullptr && unshare->kinds.has(NamespaceKind::user)) {
      cast_.own_memory[static_cast<std::size_t>(performer)] = true;
    }
    cast_.performer.push_back(performer);
    cast_.subject.push_back(subject);
    return "";
  }

  Cast take() {
    for (std::size_t i = 1; i < makers_.size(); ++i) {  // a maker has a lower number
      if (cast_.own_memory[static_cast<std::size_t>(makers_[i])]) cast_.own_memory[i] = true;
    }
    return std::move(cast_);
  }

 private:
  int join(const std::string& name, int maker) {
    cast_.names.push_back(name);
    cast_.own_memory.push_back(false);
    makers_.push_back(maker);
    ended_.push_back(false);
    return static_cast<int>(cast_.names.size()) - 1;
  }
  [[nodiscard]] int find(const std::string& name) const {
    const auto at = std::ranges::find(cast_.names, name);
    return at == cast_.names.end() ? -1 : static_cast<int>(at - cast_.names.begin());
  }

  Cast cast_;
  std::vector<int> makers_;
  std::vector<bool> ended_;
};

}  // namespace

Expected<Cast> make_cast(std::span<const Step> steps) {
  Casting casting(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string wrong = casting.add(steps[i]);
    if (!wrong.empty()) return fail("step " + std::to_string(i + 1) + ": " + wrong);
  }
  return casting.take();
}

}  // namespace pivotcheck::kernel

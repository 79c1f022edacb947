// SPDX-License-Identifier: Apache-2.0
// remedy_plan.cc: suggest_fixes(). Adds the remedies of one refusal after another, each tried in
// the model; then moves what makes mounts private before what makes new ones (which would otherwise
// appear in every peer of their parent), and leaves out what is not needed. The final list was
// performed in the model, in its order, under each assumption, and pivot_root succeeded.
#include <algorithm>

#include "explain/evaluate.h"
#include "explain/remedy.h"

namespace pivotcheck::explain {
namespace {

constexpr int rounds_max = 16;  // more than there are rules that a remedy can lead to

class Planner {
 public:
  Planner(const ProcessView& process, const std::vector<Assumption>& assumptions)
      : process_(process), assumptions_(assumptions) {}

  RemedyPlan make() {
    for (const Assumption& assumption : assumptions_) {
      if (extend(assumption)) continue;
      plan_.remedies.clear();
      return std::move(plan_);
    }
    plan_.no_fix_for = nullptr;
    move_private_first();
    drop_needless();
    return std::move(plan_);
  }

 private:
  static bool perform_all(const std::vector<Remedy>& remedies, Hypothesis& hypothesis) {
    return std::ranges::all_of(remedies,
                               [&](const Remedy& remedy) { return remedy.perform(hypothesis); });
  }

  // Adds remedies until pivot_root succeeds under this assumption; false if nothing helps.
  bool extend(const Assumption& assumption) {
    Hypothesis hypothesis = build_world(process_, assumption);
    if (!perform_all(plan_.remedies, hypothesis)) return false;
    Reason first = nullptr;
    for (int round = 0; round < rounds_max; ++round) {
      Hypothesis trial = hypothesis;
      const Reason reason = evaluate(trial).reason;
      if (reason == nullptr) return true;
      if (first == nullptr) first = reason;
      const bool is_new = reason != first && std::ranges::count(plan_.further, reason) == 0;
      if (is_new && &assumption == &assumptions_.front()) plan_.further.push_back(reason);
      plan_.no_fix_for = reason;
      const std::vector<Remedy> next = remedies_for(reason, hypothesis, process_);
      if (next.empty() || !perform_all(next, hypothesis)) return false;
      plan_.remedies.insert(plan_.remedies.end(), next.begin(), next.end());
    }
    return false;
  }

  // Takes this list instead if it helps under each assumption as well.
  bool replace(std::vector<Remedy> other) {
    const bool helps = std::ranges::all_of(assumptions_, [&](const Assumption& assumption) {
      Hypothesis hypothesis = build_world(process_, assumption);
      return perform_all(other, hypothesis) && evaluate(hypothesis).reason == nullptr;
    });
    if (helps) plan_.remedies = std::move(other);
    return helps;
  }

  void move_private_first() {
    for (std::ptrdiff_t i = 1; i < std::ssize(plan_.remedies); ++i) {
      if (!plan_.remedies[static_cast<std::size_t>(i)].movable) continue;
      for (std::ptrdiff_t place = 0; place < i; ++place) {
        std::vector<Remedy> other = plan_.remedies;
        std::rotate(other.begin() + place, other.begin() + i, other.begin() + i + 1);
        if (replace(std::move(other))) break;
      }
    }
  }

  void drop_needless() {
    for (std::ptrdiff_t i = std::ssize(plan_.remedies); i-- > 0;) {
      std::vector<Remedy> other = plan_.remedies;
      other.erase(other.begin() + i);
      replace(std::move(other));
    }
  }

  const ProcessView& process_;
  const std::vector<Assumption>& assumptions_;
  RemedyPlan plan_;
};

}  // namespace

RemedyPlan suggest_fixes(const ProcessView& process, const std::vector<Assumption>& assumptions) {
  return Planner(process, assumptions).make();
}

}  // namespace pivotcheck::explain

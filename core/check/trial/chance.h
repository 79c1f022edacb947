// SPDX-License-Identifier: Apache-2.0
// chance.h: was a step refused by chance? One scenario, performed again and again, tells:
//
//     refused, ok                                  by chance: the answer is ok
//     refused 5 times, then 45 more, 3 of them ok  47 of 50 refused: that is no chance
//
// Nothing but other tries can tell. What happens by chance is rare (FINDINGS.md: 125 times in
// 1,892,334 cases), so few scenarios are performed twice, and next to none more often.
#pragma once

namespace pivotcheck {

class ChanceTries {
 public:
  static constexpr int in_a_row = 5;  // refused so often, and it is looked at more closely
  static constexpr int tries_max = 50;
  static constexpr int refused_max = tries_max / 2;  // of these; more is no chance

  // Of one more try. True: perform it again, because what was performed now is not the answer.
  bool again(bool refused) {
    ++tries_;
    if (tries_ <= tries_max) refused_ += refused ? 1 : 0;
    if (tries_ < tries_max) return refused || refused_ >= in_a_row;
    return refused == is_by_chance() && tries_ < 2 * tries_max;
  }
  [[nodiscard]] bool is_by_chance() const { return refused_ <= refused_max; }
  [[nodiscard]] int refused() const { return refused_; }  // of the first tries_max

 private:
  int tries_ = 0;
  int refused_ = 0;
};

}  // namespace pivotcheck

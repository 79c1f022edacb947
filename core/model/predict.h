// SPDX-License-Identifier: Apache-2.0
// predict.h: what the model says about a whole program: its answer to each step, and the world
// after the last of them.
//
//     Predictor predictor(Privilege::userns, traits);      step by step, for those who look at the
//     predictor.add({TaskName{"A"}, Mkdir{"/a"}});         world before they choose the next one
//     Prediction prediction = predictor.take();
//
//     Prediction prediction = predict(scenario, traits);   all of it
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/apply.h"
#include "scenario/program.h"

namespace pivotcheck {

struct Prediction {
  Program program;                          // its steps: all before a stop
  std::vector<Verdict> verdicts;            // one for each step
  Verdict::Stop stop = Verdict::Stop::no;   // why the next step is not one of them
  model::World world;                       // after the last step
  int namespaces_max = 1;                   // mount namespaces at one time

  [[nodiscard]] std::vector<Outcome> outcomes() const;
};

class Predictor {
 public:
  Predictor(Privilege privilege, const KernelTraits& traits);

  // Resolves the step and applies it. False if the run ends before it: then it is no part of the
  // prediction, the world is as it was, and nothing is added any more. The step's tasks must be
  // there; the parser and the generators see to that.
  bool add(Step step);
  bool add(int task, Op op);

  [[nodiscard]] const Prediction& so_far() const { return prediction_; }
  [[nodiscard]] const Verdict& last() const { return prediction_.verdicts.back(); }
  Prediction take();

 private:
  Resolver resolver_;
  Prediction prediction_;
};

// The first `count` steps.
Prediction predict(Program program, const KernelTraits& traits, std::size_t count = SIZE_MAX);
Prediction predict(const Scenario& scenario, const KernelTraits& traits,
                   std::size_t count = SIZE_MAX);

// "leaves-the-world", "too-large", "unclear-master", "unclear-mark", "unclear-cover"; "" for no
// stop.
std::string_view reason(Verdict::Stop stop);

}  // namespace pivotcheck

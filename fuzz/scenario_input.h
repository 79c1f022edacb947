// SPDX-License-Identifier: Apache-2.0
// scenario_input.h: what the targets that take scenarios have in common. An input is the text of a
// scenario, so `pivotcheck run` replays an input that fails.
//
//     bytes --> read_scenario --> predict (the model) --> note_features --> the target
//                  |                                         |
//                  '-- nothing: not of use                   '-- false: not of use
//
// A target returns `not_of_use` for those, so that libFuzzer does not keep them in its corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/predict.h"
#include "scenario/scenario.h"

namespace pivotcheck::fuzz {

inline constexpr int not_of_use = -1;

// More steps show nothing more, and take longer.
inline constexpr std::size_t steps_max = 48;
// Likewise mounts: recursive binds of shared trees double at every step.
inline constexpr int mounts_max = 96;

// The scenario, without what it states: it is the model that is asked. Nothing for text that is no
// scenario, and for one that is too long. Without root, a scenario of privilege root is performed
// as userns.
std::optional<Scenario> read_scenario(const std::uint8_t* data, std::size_t size);

// Tells libFuzzer what was reached: each rule, and each verb that succeeded, together with the verb
// that had succeeded before it; and each situation (check/gen/situations.h). Branches alone would
// not tell `pivot_root behind bind` from `pivot_root behind move`. False if the world is larger than
// is of use.
bool note_features(const Prediction& predicted);

// What leads the engine, besides the branches of our own code: the environment variable
// PIVOTCHECK_GUIDANCE is none, model (those features), kernel (the code of the kernel that was run,
// check/driver/kernel_coverage.h) or all, which is what it is if it is not set.
struct Guidance {
  bool by_model = true;
  bool by_kernel = true;
};
inline Guidance guidance;
// Reads it, before a KernelDriver starts, and says on stderr what leads.
void begin_guidance();
// After an input was performed.
void note_kernel_coverage();

// What the mutator (scenario_mutator.cc) and the targets tell each other: libFuzzer calls both
// without an argument of ours.
struct Mutator {
  bool inserts_recipes = true;  // check/gen/recipes.h
  bool made_input = false;      // the next input is new; all others are read from a corpus
};
inline Mutator mutator;

// Prints what a target has found, and aborts; libFuzzer then keeps the input.
[[noreturn]] void found(std::string_view text);

// --- targets that ask the kernel: a trial (check/trial/trial.h) of one input
//
//     bytes --> read_and_predict --> (the canary's fault) --> perform --> the target's return value
//
// A target that was started by hand aborts at a disagreement, and libFuzzer keeps the input. One
// that `pivotcheck explore` has started counts, minimizes and reports like the workers there, and
// continues (check/trial/campaign.h). differential.cc has their LLVMFuzzerInitialize: it starts
// what a trial needs, and ends the process with status 4 if nothing can run.

struct Input {
  Scenario scenario;
  Prediction predicted;
  bool to_be_performed = true;  // false: another process does it, or no process
};

// The scenario and its prediction; counts its features. nullopt for bytes that are not of use.
std::optional<Input> read_and_predict(const std::uint8_t* data, std::size_t size);

// Performs it in a fresh world; by hand, aborts with a report at a disagreement. `look_again`:
// performs it once more, to find the first step that differs. Returns what the target must return.
int perform(const Input& input, bool look_again);

}  // namespace pivotcheck::fuzz

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

#include "model/predict.h"
#include "scenario/scenario.h"

namespace pivotcheck::fuzz {

inline constexpr int not_of_use = -1;

// More steps show nothing more, and take longer.
inline constexpr std::size_t steps_max = 48;
// Likewise mounts: recursive binds of shared trees double at every step.
inline constexpr int mounts_max = 96;

// The scenario, without what it states: it is the model that is asked. Nothing for text that is no
// scenario, for one that is too long, and for one that has both symbolic links and expire marks,
// whose outcome depends on the clock (Features in check/gen/scenario_builder.h). Without root, a
// scenario of privilege root is performed as userns.
std::optional<Scenario> read_scenario(const std::uint8_t* data, std::size_t size);

// Tells libFuzzer what was reached: each rule, and each verb that succeeded, together with the verb
// that had succeeded before it. Branches alone would not tell `pivot_root behind bind` from
// `pivot_root behind move`. False if the world is larger than is of use.
bool note_features(const Prediction& predicted);

// The mutator calls note_made_here(): the next input is new. All other inputs are read from a
// corpus. take_made_here(): whether it was called since the last time.
void note_made_here();
bool take_made_here();

// Prints what a target has found, and aborts; libFuzzer then keeps the input.
[[noreturn]] void found(std::string_view text);

}  // namespace pivotcheck::fuzz

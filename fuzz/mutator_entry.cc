// SPDX-License-Identifier: Apache-2.0
// mutator_entry.cc: the mutator and the crossover as libFuzzer calls them, for targets whose inputs
// are scenarios. Its seed makes all choices, so a run with the same -seed= does the same.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "check/gen/seeded.h"
#include "scenario_input.h"
#include "scenario_mutator.h"

using namespace pivotcheck;

namespace {

std::optional<Scenario> read(const std::uint8_t* data, std::size_t size) {
  auto scenario = parse({reinterpret_cast<const char*>(data), size});
  if (!scenario || scenario->steps.empty()) return std::nullopt;
  return std::move(*scenario);
}

std::size_t write(const std::string& text, std::uint8_t* data) {
  fuzz::note_made_here();
  std::memcpy(data, text.data(), text.size());
  return text.size();
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  SeededChoices choices(seed);
  const auto scenario = read(data, size);
  return write(fuzz::print_within(
                   scenario ? fuzz::mutated(*scenario, choices) : fuzz::fresh(choices), size_max),
               data);
}

// libFuzzer takes turns between the two, and changes inside a scenario find more than splices do:
// so some of these are mutations as well.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t out_max,
                                                 unsigned seed) {
  constexpr std::uint32_t splice_percent = 40;
  SeededChoices choices(seed);
  const auto one = read(data1, size1);
  const auto other = read(data2, size2);
  if (!one || !other || !choices.chance(splice_percent)) {
    const std::size_t size = std::min(size1, out_max);
    std::memcpy(out, data1, size);
    return LLVMFuzzerCustomMutator(out, size, out_max, seed);
  }
  return write(fuzz::print_within(fuzz::spliced(*one, *other, choices), out_max), out);
}

// SPDX-License-Identifier: Apache-2.0
// scenario_input.cc: reads inputs, and counts features for libFuzzer.
#include "scenario_input.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <variant>

#include "check/driver/kernel_coverage.h"
#include "check/gen/random_step.h"
#include "check/gen/situations.h"

namespace pivotcheck::fuzz {
namespace {

// Rows: refused by that rule, or that verb succeeded. Columns: the last verb that succeeded before,
// of any task. For libFuzzer a counter that is not 0 is a feature, together with its power of two.
constexpr std::size_t rows = rules_count + 1 + gen::verbs_count;
constexpr std::size_t columns = gen::verbs_count + 1;  // the last: none yet
constexpr std::size_t pairs = rows * columns;
// After them one counter for each situation.
__attribute__((section("__libfuzzer_extra_counters"), used))
std::array<std::uint8_t, pairs + gen::situations_count> counters;
__attribute__((section("__libfuzzer_extra_counters"), used)) CoverageCounters kernel_counters;

}  // namespace

std::optional<Scenario> read_scenario(const std::uint8_t* data, std::size_t size) {
  auto scenario = parse({reinterpret_cast<const char*>(data), size});
  if (!scenario || scenario->steps.empty() || scenario->steps.size() > steps_max) return {};
  if (::geteuid() != 0) scenario->privilege = Privilege::userns;
  return std::move(*scenario);
}

bool note_features(const Prediction& predicted) {
  const std::vector<Verdict>& verdicts = predicted.verdicts;
  if (predicted.world.mount_count > mounts_max) return false;
  if (!guidance.by_model) return true;
  std::size_t before = gen::verbs_count;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const bool ok = verdicts[i].outcome.ok();
    const std::size_t verb = verb_index(predicted.program.steps[i].op);
    const std::size_t row =
        ok ? rules_count + 1 + verb : static_cast<std::size_t>(verdicts[i].rule);
    std::uint8_t& counter = counters[row * columns + before];
    if (counter < UINT8_MAX) ++counter;
    if (ok) before = verb;
  }
  const gen::Situations reached = gen::situations_of(predicted);
  for (std::size_t i = 0; i < reached.size(); ++i) counters[pairs + i] = reached[i] ? 1 : 0;
  return true;
}

void begin_guidance() {
  const char* variable = std::getenv("PIVOTCHECK_GUIDANCE");
  const std::string_view wanted = variable == nullptr ? "all" : variable;
  constexpr std::string_view known[] = {"none", "model", "kernel", "all"};
  if (std::ranges::find(known, wanted) == std::end(known)) {
    std::fprintf(stderr, "PIVOTCHECK_GUIDANCE is none, model, kernel or all, not %s\n", variable);
    std::_Exit(2);
  }
  guidance.by_model = wanted == "model" || wanted == "all";
  guidance.by_kernel = wanted == "kernel" || wanted == "all";
  std::string why_not = "PIVOTCHECK_GUIDANCE says so";
  if (guidance.by_kernel) why_not = follow_kernel_coverage();
  guidance.by_kernel = why_not.empty();
  std::fprintf(stderr, "the kernel's coverage leads: %s%s\n", why_not.empty() ? "yes" : "no, ",
               why_not.c_str());
}

void note_kernel_coverage() {
  if (guidance.by_kernel) take_kernel_coverage(kernel_counters);
}

void found(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
  std::fflush(nullptr);
  std::abort();
}

}  // namespace pivotcheck::fuzz

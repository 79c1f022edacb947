// SPDX-License-Identifier: Apache-2.0
// apply.cc: the entry to the model.
#include "model/apply.h"

#include "base/check.h"
#include "model/apply/call.h"
#include "model/propagation.h"

namespace pivotcheck {
namespace {

// A handle that is not open is refused before anything else is checked (FORMAT.md).
bool names_closed_handle(const model::Task& task, const Op& op) {
  bool closed = false;
  const auto check = [&]<class Field>(const Field& field) {
    if constexpr (std::is_same_v<Field, Path>) {
      const bool is_open = field.handle.empty() || model::find_handle(task, field.slot) != nullptr;
      closed = closed || !is_open;
    }
  };
  std::visit([&](const auto& each) { each.fields(each, check); }, op);
  return closed;
}

}  // namespace

Verdict apply(model::World& world, const ProgramStep& step) {
  model::Call call{.world = world,
                   .caller = {static_cast<std::uint32_t>(step.task)},
                   .subject = {static_cast<std::uint32_t>(step.subject)}};
  PIVOTCHECK_CHECK(call.caller.value < world.tasks.size() && call.task().alive);
  world.met_many_links = false;
  Refusal refused = Rule::handle_closed;
  if (!names_closed_handle(call.task(), step.op)) {
    refused = std::visit([&](const auto& op) { return model::apply(call, op); }, step.op);
  }
  Verdict verdict{.outcome = {}, .rule = refused.rule, .stop = call.stop};
  if (refused) verdict.outcome.error = info(refused.rule).error;
  verdict.eloop_possible = world.met_many_links && refused.rule != Rule::too_many_links;
  if (verdict.stop == Verdict::Stop::no) model::forget_unused(world);
  return verdict;
}

}  // namespace pivotcheck

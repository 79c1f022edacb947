// SPDX-License-Identifier: Apache-2.0
// apply.cc: the entry to the model, and what the operations beside it have in common.
#include "model/apply.h"

#include "base/check.h"
#include "model/apply/call.h"
#include "model/propagation.h"

namespace pivotcheck::model {

Refusal find(Call& call, const Path& path, Location& found, LookupOptions options) {
  const LookupResult result = look_up(call.world, call.task(), path, options);
  found = result.at;
  return result.refused;
}

Refusal find_parent(Call& call, const Path& path, ParentResult& found, bool keep_expiry_mark) {
  found = look_up_parent(call.world, call.task(), path, keep_expiry_mark);
  return found.refused;
}

bool may_mount(const Call& call) {
  const UserNamespaceId owner = call.world[call.task().mount_ns].owner;
  return call.world.capable(call.task(), Capability::sys_admin, owner);
}

bool has_sys_admin(const Call& call) {
  return call.world.capable(call.task(), Capability::sys_admin, call.task().user_ns);
}

Refusal too_large(Call& call) {
  call.stop = Verdict::Stop::too_large;
  return {};
}

namespace {

// A handle that is not open is refused before anything else is checked (FORMAT.md).
bool names_closed_handle(const Task& task, const Op& op) {
  bool closed = false;
  const auto check = [&]<class Field>(const Field& field) {
    if constexpr (std::is_same_v<Field, Path>) {
      closed = closed || (!field.handle.empty() && find_handle(task, field.slot) == nullptr);
    }
  };
  std::visit([&](const auto& each) { each.fields(each, check); }, op);
  return closed;
}

}  // namespace
}  // namespace pivotcheck::model

namespace pivotcheck {

Verdict apply(model::World& world, const ProgramStep& step) {
  model::Call call{.world = world,
                   .caller = {static_cast<std::uint32_t>(step.task)},
                   .subject = {static_cast<std::uint32_t>(step.subject)}};
  PIVOTCHECK_CHECK(call.caller.value < world.tasks.size() && call.task().alive);
  world.met_many_links = false;
  Refusal refused = Rule::handle_closed;
  if (!model::names_closed_handle(call.task(), step.op)) {
    refused = std::visit([&](const auto& op) { return model::apply(call, op); }, step.op);
  }
  Verdict verdict{.outcome = {}, .rule = refused.rule, .stop = call.stop};
  if (refused) verdict.outcome.error = info(refused.rule).error;
  verdict.eloop_possible = world.met_many_links && refused.rule != Rule::too_many_links;
  if (verdict.stop == Verdict::Stop::no) model::forget_unused(world);
  return verdict;
}

}  // namespace pivotcheck

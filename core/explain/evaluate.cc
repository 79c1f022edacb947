// SPDX-License-Identifier: Apache-2.0
// judge.cc: see judge.h.
#include "explain/evaluate.h"

#include <cerrno>

#include "model/apply.h"
#include "model/lookup.h"

namespace pivotcheck::explain {

const RuleInfo root_is_rootfs{
    .rule = Rule::none,
    .name = "root-is-rootfs",
    .syscall = "pivot_root",
    .error = EINVAL,
    .reason =
        "the task's root is the kernel's own rootfs (an initramfs), which is mounted on nothing "
        "and can't be put elsewhere",
    .source = "pivot_root(2), NOTES: the rootfs cannot be pivot_root()ed",
    .since = "always"};

const RuleInfo seccomp_filter{
    .rule = Rule::none,
    .name = "seccomp-filter",
    .syscall = "pivot_root",
    .error = EPERM,
    .reason = "a seccomp filter of the process answers pivot_root, before the kernel looks at it",
    .source = "seccomp(2), SECCOMP_RET_ERRNO",
    .since = "always"};

namespace {

// The kernel looks at these before it asks whether the root has a parent.
bool comes_behind_rootfs(Rule rule) {
  return rule == Rule::none || rule == Rule::new_root_not_mount_point ||
         rule == Rule::put_old_not_under_new_root || rule == Rule::new_root_not_under_root;
}

Possibility refused(Reason reason) { return {.outcome = {reason->error}, .reason = reason}; }

}  // namespace

std::vector<Assumption> assumptions(const ProcessView& process) {
  const std::vector<OpenQuestion> open = open_questions(process);
  std::vector<Assumption> result;
  for (unsigned bits = 0; bits < 1U << open.size(); ++bits) {
    Assumption assumption;
    for (std::size_t i = 0; i < open.size(); ++i)
      assumption.*(open[i].flag) = (bits >> i & 1U) != 0;
    result.push_back(assumption);
  }
  return result;
}

Rule rule_of_lookup(const Place& place) {
  switch (place.error) {
    case EACCES: return Rule::search_denied;
    case ENOTDIR: return Rule::not_a_directory;
    case ELOOP: return Rule::too_many_links;
    case ENAMETOOLONG:
      return place.asked.size() >= 4096 ? Rule::path_too_long : Rule::name_too_long;
    case ENOENT:
      if (place.asked.empty()) return Rule::path_empty;
      if (place.missing == ".." || place.missing.starts_with("../")) return Rule::dot_dot_escaped;
      return place.mount == 0 ? Rule::directory_removed : Rule::none;  // else the model finds out
    default: return Rule::none;
  }
}

Possibility evaluate(Hypothesis& hypothesis) {
  const bool on_rootfs =
      hypothesis.rootfs.exists() && task_of(hypothesis).root.mount == hypothesis.rootfs;
  const bool allowed =
      hypothesis.world.capable(task_of(hypothesis), Capability::sys_admin,
                               hypothesis.world[task_of(hypothesis).mount_ns].owner);
  if (!allowed) return refused(&info(Rule::pivot_no_capability));
  if (const Rule r = rule_of_lookup(hypothesis.new_root_place); r != Rule::none)
    return refused(&info(r));
  if (const Rule r = rule_of_lookup(hypothesis.put_old_place); r != Rule::none) {
    const auto new_root = model::look_up(hypothesis.world, task_of(hypothesis), hypothesis.new_root,
                                         {.want_directory = true});
    return refused(&info(new_root.refused ? new_root.refused.rule : r));
  }
  std::optional<model::World> before;
  if (on_rootfs) before = hypothesis.world;
  const Verdict verdict =
      apply(hypothesis.world, {{task_name}, PivotRoot{hypothesis.new_root, hypothesis.put_old}});
  if (on_rootfs && comes_behind_rootfs(verdict.rule)) {
    hypothesis.world = std::move(*before);
    return refused(&root_is_rootfs);
  }
  return verdict.rule == Rule::none ? Possibility{} : refused(&info(verdict.rule));
}

std::optional<model::Location> new_root_in(Hypothesis& hypothesis) {
  const auto found = model::look_up(hypothesis.world, task_of(hypothesis), hypothesis.new_root,
                                    {.want_directory = true});
  return found.refused == Rule::none ? std::optional(found.at) : std::nullopt;
}

std::optional<model::Location> put_old_in(Hypothesis& hypothesis) {
  const auto found = model::look_up(hypothesis.world, task_of(hypothesis), hypothesis.put_old,
                                    {.want_directory = true, .to_the_top = true});
  return found.refused == Rule::none ? std::optional(found.at) : std::nullopt;
}

bool perform(Hypothesis& hypothesis, Op op) {
  return apply(hypothesis.world, {{task_name}, std::move(op)}).rule == Rule::none;
}

}  // namespace pivotcheck::explain

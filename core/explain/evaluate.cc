// SPDX-License-Identifier: Apache-2.0
// evaluate.cc: asks the model about one Hypothesis: which rule refuses pivot_root there, if any.
#include <cerrno>

#include "explain/hypothesis.h"
#include "model/apply.h"
#include "model/lookup.h"

namespace pivotcheck::explain {

const RuleInfo root_is_rootfs{
    .name = name_of<"root_is_rootfs">,
    .calls = {Call::pivot_root},
    .error = EINVAL,
    .about = {Subject::root},
    .fix = Fix::mount_root,
    .reason = "the process's root is the kernel's own rootfs (an initramfs), which is mounted on "
              "nothing (until Linux 7.0) and can't be mounted elsewhere",
    .source = {Citation{.kind = Citation::Kind::text,
                        .document = {"pivot_root(2)"},
                        .section = "NOTES",
                        .words = "The rootfs (initial ramfs) cannot be pivot_root()ed"}},
    .advice = "On an initramfs, programs do not pivot: they mount the new root, cd to it, move it "
              "to / (mount --move . /) and chroot . (switch_root does it). Or make / a mount of "
              "its own first."};

const RuleInfo seccomp_filter{
    .name = name_of<"seccomp_filter">,
    .calls = {Call::pivot_root},
    .error = EPERM,
    .reason = "a seccomp filter of the process answers pivot_root before the kernel does",
    .source = {Citation{.kind = Citation::Kind::text,
                        .document = {"seccomp(2)"},
                        .section = "DESCRIPTION",
                        .words = "as the errno value without executing the system call"}},
    .advice = "The program that installed the filter (a container runtime, a service manager) "
              "must allow pivot_root."};

const RuleInfo security_module{
    .name = name_of<"security_module">,
    .calls = {Call::pivot_root},
    .error = EPERM,
    .reason =
        "a security module refuses every pivot_root of the process, as Landlock does in a "
        "sandbox",
    .source = {Citation{.kind = Citation::Kind::text,
                        .document = {"landlock.rst"},
                        .section = "Filesystem topology modification",
                        .words = "cannot modify filesystem topology"}},
    .advice = "The program that made the sandbox must do this itself, before it makes it."};

namespace {

// The kernel checks these rules after it finds that the root has no parent.
bool comes_after_rootfs(Rule rule) {
  return rule == Rule::none || rule == Rule::new_root_not_mount_point ||
         rule == Rule::put_old_not_under_new_root || rule == Rule::new_root_not_under_root;
}

Possibility refused(Reason reason) { return {.outcome = {reason->error}, .reason = reason}; }

model::LookupResult look_up_new_root(Hypothesis& hypothesis) {
  return model::look_up(hypothesis.world, task_of(hypothesis), hypothesis.new_root,
                        {.want_directory = true});
}

}  // namespace

Rule rule_of_lookup(const ResolvedPath& path) {
  switch (path.error) {
    case EACCES: return Rule::search_denied;
    case ENOTDIR: return Rule::not_a_directory;
    case ELOOP: return Rule::too_many_links;
    case ENAMETOOLONG: return path.asked.size() >= 4096 ? Rule::path_too_long : Rule::name_too_long;
    case ENOENT:
      if (path.asked.empty()) return Rule::path_empty;
      if (path.missing == ".." || path.missing.starts_with("../")) return Rule::dot_dot_escaped;
      return path.mount == 0 ? Rule::directory_removed : Rule::none;  // else the model finds it
    default: return Rule::none;
  }
}

Possibility evaluate(Hypothesis& hypothesis) {
  model::World& world = hypothesis.world;
  const model::Task& task = task_of(hypothesis);
  if (!world.capable(task, Capability::sys_admin, world[task.mount_ns].owner)) {
    return refused(&info(Rule::pivot_no_capability));
  }
  if (const Rule rule = rule_of_lookup(hypothesis.resolved_new_root); rule != Rule::none) {
    return refused(&info(rule));
  }
  if (const Rule rule = rule_of_lookup(hypothesis.resolved_put_old); rule != Rule::none) {
    const auto new_root = look_up_new_root(hypothesis);
    return refused(&info(new_root.refused ? new_root.refused.rule : rule));
  }
  std::optional<model::World> before;
  if (hypothesis.rootfs.exists() && task.root.mount == hypothesis.rootfs) before = world;
  const Rule rule = apply(world, {.op = PivotRoot{hypothesis.new_root, hypothesis.put_old}}).rule;
  if (before && comes_after_rootfs(rule)) {
    world = std::move(*before);
    return refused(&root_is_rootfs);
  }
  return rule == Rule::none ? Possibility{} : refused(&info(rule));
}

std::optional<model::Location> new_root_in(Hypothesis& hypothesis) {
  const auto found = look_up_new_root(hypothesis);
  return found.refused ? std::nullopt : std::optional(found.at);
}

std::optional<model::Location> put_old_in(Hypothesis& hypothesis) {
  const auto found = model::look_up(hypothesis.world, task_of(hypothesis), hypothesis.put_old,
                                    {.want_directory = true, .to_the_top = true});
  return found.refused ? std::nullopt : std::optional(found.at);
}

bool perform(Hypothesis& hypothesis, Op op) {
  return apply(hypothesis.world, {.op = std::move(op)}).rule == Rule::none;
}

}  // namespace pivotcheck::explain

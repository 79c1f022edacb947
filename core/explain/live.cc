// SPDX-License-Identifier: Apache-2.0
// live.cc: the ProcessView of a running process.
#include "explain/process_view.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "op/outcome.h"

namespace pivotcheck::explain {
namespace {

// What may refuse pivot_root besides the mounts, and can't be asked.
void add_unseen_refusals(const ProcessFacts& facts, ProcessView& process) {
  const auto& profile = facts.profile;
  if (profile.ends_with("(enforce)") || profile.ends_with("(kill)") ||
      profile.ends_with("(user)")) {
    process.unseen_refusals.push_back("whether the AppArmor profile " + profile +
                                      " allows pivot_root");
  }
  if (facts.no_new_privileges && facts.security_modules.contains("landlock")) {
    process.unseen_refusals.emplace_back(
        "whether a Landlock sandbox holds the process (it has no_new_privs): that forbids "
        "pivot_root");
  }
}

// Only a process that has a filter can ask it. Children inherit filters: if the process has as many
// as the caller, they are assumed to be the same.
Expected<void> add_seccomp(pid_t pid, const ProcessFacts& facts, ProcessView& process) {
  if (facts.seccomp_mode == 0) return {};
  if (pid != 0) {
    const auto own = read_process(0);
    if (!own) return std::unexpected(own.error());
    if (own->seccomp_mode != facts.seccomp_mode || own->seccomp_filters != facts.seccomp_filters) {
      process.unseen_refusals.emplace_back(
          "whether the seccomp filter of the process lets "
          "pivot_root through");
      return {};
    }
    process.notes.emplace_back("its seccomp filters are assumed to be the same as this command's");
  }
  const auto answer = ask_seccomp_filter();
  if (!answer) return std::unexpected(answer.error());
  const bool capability_refuses = answer->error == EPERM && !process.may_mount;
  if (!answer->ok() && !capability_refuses) process.seccomp_answer = *answer;
  return {};
}

Expected<std::vector<SeenMount>> parsed(const std::string& text) {
  auto mounts = read_mounts(text);
  if (!mounts) return fail("mountinfo of the process, " + mounts.error());
  return std::move(*mounts);
}

}  // namespace

Expected<ProcessView> view_process(pid_t pid, const PathAsked& new_root, const PathAsked& put_old,
                                   const KernelTraits& traits) {
  const auto facts = read_process(pid);
  if (!facts) return std::unexpected(facts.error());
  auto paths = resolve_as(pid, new_root, put_old);
  if (!paths) return std::unexpected(paths.error());
  auto mounts = parsed(facts->mountinfo);
  if (!mounts) return std::unexpected(mounts.error());
  auto elsewhere = parsed(facts->mountinfo_elsewhere);
  if (!elsewhere) return std::unexpected(elsewhere.error());
  ProcessView process;
  static_cast<ProcessRights&>(process) = *facts;
  const std::size_t longest = std::max(mounts->size(), elsewhere->size());
  // Before 6.12 no kernel counts the mounts of a namespace; but from its root, all are visible.
  process.all_is_seen = facts->mounts != 0
                            ? facts->mounts == longest
                            : facts->has_root_of_pid_1 || root_is_namespace_root(pid);
  process.mounts = std::move(*mounts);
  process.elsewhere = std::move(*elsewhere);
  process.root = std::move(paths->root);
  process.current_directory = std::move(paths->current_directory);
  process.new_root = std::move(paths->first);
  process.put_old = std::move(paths->second);
  const SeenMount* new_root_mount = process.find(process.new_root.mount);
  process.may_be_copy = process.machine_owns && !process.is_first_namespace &&
                        new_root_mount != nullptr &&
                        may_come_from_another_owner(pid, new_root_mount->mount);
  process.traits = traits;
  process.pid = pid;
  process.keeps_ids = ::geteuid() != 0;
  add_unseen_refusals(*facts, process);
  if (const auto asked = add_seccomp(pid, *facts, process); !asked) {
    return std::unexpected(asked.error());
  }
  return process;
}

}  // namespace pivotcheck::explain

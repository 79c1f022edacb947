// SPDX-License-Identifier: Apache-2.0
// live.cc: see live.h.
#include "explain/live.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "explain/resolved_paths.h"
#include "observe/process.h"
#include "op/outcome.h"

namespace pivotcheck::explain {
namespace {

// "." and the like: it names the current directory without leaving it, so that what is mounted
// there meanwhile is not entered.
bool names_where_it_stands(const std::string& path) {
  bool dot = false;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = std::string_view(path).substr(begin, end - begin);
    if (name == ".") dot = true;
    if (!name.empty() && name != ".") return false;
    begin = end + 1;
  }
  return dot && !path.starts_with('/');
}

Place place_of(const PathAsked& asked, const ResolvedPath& seen) {
  return {.asked = asked.text,
          .error = seen.error,
          .mount = seen.mount,
          .path = seen.path,
          .missing = seen.missing,
          .below_root = seen.below_root,
          .removed = seen.removed,
          .directory = seen.directory,
          .mount_root = seen.mount_root,
          .is_standing = asked.descriptor < 0 && names_where_it_stands(asked.text),
          .dangling = seen.dangling};
}

// What refuses pivot_root though no mount does, and can't be asked.
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

// A filter can be asked only by who has it. Children inherit it, so with as many filters as the
// caller they are taken for the caller's own.
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
    process.notes.emplace_back("its seccomp filters are taken to be the same as this command's");
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
  const auto stand = resolve_as(pid, new_root, put_old);
  if (!stand) return std::unexpected(stand.error());
  auto mounts = parsed(facts->mountinfo);
  if (!mounts) return std::unexpected(mounts.error());
  auto elsewhere = parsed(facts->mountinfo_elsewhere);
  if (!elsewhere) return std::unexpected(elsewhere.error());
  ProcessView process;
  const std::size_t longest = std::max(mounts->size(), elsewhere->size());
  // Before 6.12 nobody counts the mounts of a namespace; but at its root, all of it is below.
  process.all_is_seen = facts->mounts != 0
                            ? facts->mounts == longest
                            : facts->at_namespace_root || root_is_namespace_root(pid);
  process.mounts = std::move(*mounts);
  process.elsewhere = std::move(*elsewhere);
  process.root = place_of({"/"}, stand->root);
  process.current_directory = place_of({"."}, stand->current_directory);
  process.new_root = place_of(new_root, stand->first);
  process.put_old = place_of(put_old, stand->second);
  process.capabilities = facts->effective;
  process.may_mount = facts->may_mount;
  process.owns_namespace = facts->owns_namespace;
  process.machine_owns = facts->machine_owns;
  process.is_first_namespace = facts->is_first_namespace;
  const SeenMount* new_root_mount = process.find(process.new_root.mount);
  process.may_be_copy = process.machine_owns && !process.is_first_namespace &&
                        new_root_mount != nullptr &&
                        may_come_from_another_owner(pid, new_root_mount->line.mount);
  process.traits = traits;
  process.pid = pid;
  process.needs_user_entry = !facts->callers_user_namespace;
  process.needs_mount_entry = !facts->callers_mount_namespace;
  process.keeps_ids = ::geteuid() != 0;
  add_unseen_refusals(*facts, process);
  if (const auto asked = add_seccomp(pid, *facts, process); !asked) {
    return std::unexpected(asked.error());
  }
  return process;
}

}  // namespace pivotcheck::explain

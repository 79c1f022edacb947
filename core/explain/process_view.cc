// SPDX-License-Identifier: Apache-2.0
// process_view.cc: see process_view.h.
#include "explain/process_view.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace pivotcheck::explain {
namespace {

// --- the text of a mountinfo

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

std::unexpected<std::string> wrong(std::size_t line, const std::string& what) {
  return std::unexpected("line " + std::to_string(line) + ": " + what);
}

// No number may occur twice, and the parents may form no circle: no kernel prints that.
std::expected<void, std::string> check_tree(const std::vector<SeenMount>& mounts,
                                            const std::vector<std::size_t>& lines) {
  std::map<MountId, MountId> parents;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const MountView& mount = mounts[i].mount;
    if (parents.emplace(mount.id, mount.parent).second) continue;
    return wrong(lines[i], "mount " + std::to_string(mount.id) + " is there twice");
  }
  std::set<MountId> good;  // a walk up from there ends
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    std::set<MountId> walk;
    for (MountId at = mounts[i].mount.id; !good.contains(at);) {
      if (!walk.insert(at).second) {
        return wrong(lines[i], "mount " + std::to_string(at) + " is mounted on itself");
      }
      const auto up = parents.find(at);
      if (up == parents.end() || up->second == at) break;  // not seen; rootfs, which has none
      at = up->second;
    }
    good.merge(walk);
  }
  return {};
}

// Perhaps pasted: skips empty lines, blanks before a line and a carriage return after it. The error
// is a line for people: "line 3: ...".
std::expected<std::vector<SeenMount>, std::string> read_mounts(std::string_view text) {
  std::vector<SeenMount> mounts;
  std::vector<std::size_t> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    auto parsed = parse_mountinfo(line + "\n");
    if (!parsed) return wrong(number, std::string(parsed.error().reason));
    mounts.push_back({std::move(parsed->front()), std::move(line)});
    lines.push_back(number);
  }
  if (auto checked = check_tree(mounts, lines); !checked) {
    return std::unexpected(checked.error());
  }
  return mounts;
}

// A note on what / is mounted on. The text of a process in a chroot does not show it. Otherwise it
// is the kernel's own rootfs, which is never shared, and has the number 1 on the machine itself.
std::string note_on_root_parent(const ProcessView& process) {
  for (const SeenMount& seen : process.mounts) {
    const MountView& mount = seen.mount;
    if (mount.mount_point != "/" || process.find(mount.parent) != nullptr) continue;
    if (mount.parent <= 1) return "";
    return "mount " + std::to_string(mount.parent) +
           ", on which / is mounted, is not in the text: it is assumed not to be shared, but it "
           "may be if the text is from a chroot";
  }
  return "";
}

// --- a running process

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

const SeenMount* find_mount(const std::vector<SeenMount>& mounts, MountId id) {
  const auto found =
      std::ranges::find(mounts, id, [](const SeenMount& seen) { return seen.mount.id; });
  return found == mounts.end() ? nullptr : &*found;
}

const SeenMount* ProcessView::find(MountId id) const {
  const SeenMount* here = find_mount(mounts, id);
  return here != nullptr ? here : find_mount(elsewhere, id);
}

const SeenMount* ProcessView::own_root() const {
  if (root.mount != 0) return find_mount(mounts, root.mount);
  const auto found = std::ranges::find_if(mounts, [&](const SeenMount& seen) {
    return seen.mount.mount_point == "/" &&
           (seen.is_rootfs() || !find_mount(mounts, seen.mount.parent));
  });
  return found == mounts.end() ? nullptr : &*found;
}

std::expected<ProcessView, std::string> view_mountinfo(std::string_view mountinfo,
                                                       const OfflineQuestion& query) {
  auto mounts = read_mounts(mountinfo);
  if (!mounts) return std::unexpected(mounts.error());
  if (mounts->empty()) return std::unexpected("it has no line");
  ProcessView process;
  process.mounts = std::move(*mounts);
  process.offline = true;
  process.root.asked = query.root;
  process.current_directory.asked = query.current_directory;
  process.new_root.asked = query.new_root;
  process.put_old.asked = query.put_old;
  process.capabilities = query.capabilities;
  process.owns_namespace = process.machine_owns = true;
  process.may_mount = query.capabilities.has(Capability::sys_admin);
  process.traits = query.traits;
  process.notes = {
      "the text is assumed to show the whole mount namespace, and the machine's first user "
      "namespace to own it (then no mount is locked)",
      "every named directory is assumed to exist, and no name to be a symbolic link"};
  if (const std::string note = note_on_root_parent(process); !note.empty())
    process.notes.push_back(note);
  if (process.may_mount)
    process.notes.emplace_back("the process is assumed to have all capabilities");
  return process;
}

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
  process.root = std::move((*paths)[0]);
  process.current_directory = std::move((*paths)[1]);
  process.new_root = std::move((*paths)[2]);
  process.put_old = std::move((*paths)[3]);
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

// SPDX-License-Identifier: Apache-2.0
// process.cc: see process.h.
#include "observe/process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>

#include "base/file.h"
#include "observe/mountinfo.h"
#include "observe/proc.h"
#include "observe/statmount.h"

namespace pivotcheck {
namespace {

constexpr ino_t first_user_namespace = 0xEFFFFFFDU;  // PROC_USER_INIT_INO, the same since Linux 3.8
constexpr int user_namespaces_max = 64;              // more than the kernel allows to nest

// user_namespaces(7): a process has a capability in the namespace `owner` if it has it in `owner`
// itself or in a namespace above; and if its uid created, on the way down from its own namespace
// to `owner`, the first one.
bool has_power_over(UniqueFd owner, ino_t users, bool has_capability, uid_t uid) {
  for (int i = 0; i < user_namespaces_max && owner; ++i) {
    if (inode_of(owner.get()) == users) return has_capability;
    UniqueFd parent(::ioctl(owner.get(), NS_GET_PARENT));
    uid_t creator = 0;
    if (parent && inode_of(parent.get()) == users &&
        ::ioctl(owner.get(), NS_GET_OWNER_UID, &creator) == 0 && creator == uid) {
      return true;
    }
    owner = std::move(parent);
  }
  return false;
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find_first_of(std::string_view("\n\0", 2)), text.size()));
  return text;
}

std::string read_profile(TaskFiles& files) {
  for (const std::string_view name : {"attr/apparmor/current", "attr/current"}) {
    std::string text;
    if (files.read_file(name, text)) return first_line(std::move(text));
  }
  return "";
}

Expected<void> read_status(TaskFiles& files, ProcessFacts& facts, uid_t& effective_uid) {
  std::string status;
  if (const auto read = files.read_file("status", status); !read) {
    return std::unexpected(read.error());
  }
  const auto number = [&](std::string_view key, int base = 10, std::size_t column = 0) {
    const auto numbers = status_numbers(status, key, base);
    return column < numbers.size() ? numbers[column] : 0;
  };
  const auto has = [set = number("CapEff", 16)](unsigned capability) {
    return (set >> capability & 1U) != 0;
  };
  facts.capabilities.set(Capability::sys_admin, has(CAP_SYS_ADMIN));
  facts.capabilities.set(Capability::sys_chroot, has(CAP_SYS_CHROOT));
  facts.capabilities.set(Capability::dac, has(CAP_DAC_OVERRIDE) || has(CAP_DAC_READ_SEARCH));
  facts.seccomp_mode = static_cast<int>(number("Seccomp"));
  facts.seccomp_filters = static_cast<int>(number("Seccomp_filters"));
  facts.no_new_privileges = number("NoNewPrivs") != 0;
  effective_uid = static_cast<uid_t>(number("Uid", 10, 1));
  return {};
}

Expected<void> read_owner(TaskFiles& files, uid_t effective_uid, ProcessFacts& facts) {
  const auto mounts = files.open("ns/mnt");
  if (!mounts) return std::unexpected(mounts.error());
  const auto users = files.open("ns/user");
  if (!users) return std::unexpected(users.error());
  const ino_t users_inode = inode_of(users->get());
  const UniqueFd own_users(::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  facts.callers_user_namespace = inode_of(own_users.get()) == users_inode;
  const UniqueFd own_mounts(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  facts.callers_mount_namespace = inode_of(own_mounts.get()) == inode_of(mounts->get());
  facts.mounts = identify_namespace(mounts->get()).mounts;
  UniqueFd owner(::ioctl(mounts->get(), NS_GET_USERNS));
  if (!owner) return {};  // above the caller's: neither its own nor below, so no power over it
  facts.owns_namespace = inode_of(owner.get()) == users_inode;
  facts.machine_owns = inode_of(owner.get()) == first_user_namespace;
  facts.may_mount = has_power_over(std::move(owner), users_inode,
                                   facts.capabilities.has(Capability::sys_admin), effective_uid);
  return {};
}

// --- other processes

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

FileIdentity root_of(int proc, pid_t pid) {
  return file_status(proc, TaskFiles(proc, pid).path("root")).identity;
}

// The longest mountinfo of a process in that namespace that has another root.
std::string longest_elsewhere(int proc, pid_t pid, const std::string& link,
                              const std::string& own) {
  std::string longest;
  std::string text;
  std::set<FileIdentity> known{FileIdentity{}, root_of(proc, pid)};
  for (const pid_t other : all_processes()) {
    TaskFiles files(proc, other);
    const auto other_link = files.read_link("ns/mnt");
    if (!other_link || *other_link != link) continue;
    if (!known.insert(root_of(proc, other)).second) continue;
    if (!files.read_file("mountinfo", text)) continue;
    if (text.size() > std::max(own.size(), longest.size())) longest = text;
  }
  return longest;
}

bool is_like(const MountView& one, const MountView& other) {
  return one.filesystem == other.filesystem && one.root == other.root;
}

bool shows_one_like(TaskFiles& files, const MountView& mount) {
  std::string text;
  if (!files.read_file("mountinfo", text)) return false;
  const auto mounts = parse_mountinfo(text);
  const auto is_like_it = [&](const MountView& one) { return is_like(one, mount); };
  return mounts && std::ranges::any_of(*mounts, is_like_it);
}

// The unique id of that mount: such ids are assigned in the order in which mounts are made. 0 where
// listmount can't tell.
std::uint64_t unique_id_of(int mount_namespace, MountId id) {
  const auto listed = list_mounts(identify_namespace(mount_namespace));
  if (!listed) return 0;
  const auto found = std::ranges::find(listed->mountinfo_ids, id);
  if (found == listed->mountinfo_ids.end()) return 0;
  return listed->mounts[static_cast<std::size_t>(found - listed->mountinfo_ids.begin())].id;
}

// A mount like it is in that namespace, and is older.
bool has_original(TaskFiles& files, int mount_namespace, const MountView& mount,
                  std::uint64_t unique_id) {
  const auto listed = list_mounts(identify_namespace(mount_namespace));
  if (!listed || unique_id == 0) return shows_one_like(files, mount);
  return std::ranges::any_of(listed->mounts, [&](const MountView& one) {
    return is_like(one, mount) && one.id < unique_id;
  });
}

}  // namespace

bool may_come_from_another_owner(pid_t pid, const MountView& mount) {
  const auto proc = open_proc();
  if (!proc) return false;
  TaskFiles own(proc->get(), pid != 0 ? pid : own_number(proc->get()));
  const auto own_link = own.read_link("ns/mnt");
  const auto own_namespace = own.open("ns/mnt");
  if (!own_link || !own_namespace) return false;
  const std::uint64_t unique_id = unique_id_of(own_namespace->get(), mount.id);
  // Ids don't say which of two namespaces is older: each processor gets them in batches. Most
  // namespaces are copies of the one that the process with the lowest number is in.
  bool lowest_is_known = false;
  bool another_has_it = false;
  std::set<std::string> known;
  for (const pid_t other : all_processes()) {
    TaskFiles files(proc->get(), other);
    const auto link = files.read_link("ns/mnt");
    if (!link || !known.insert(*link).second) continue;
    const auto mount_namespace = files.open("ns/mnt");
    const UniqueFd owner(mount_namespace ? ::ioctl(mount_namespace->get(), NS_GET_USERNS) : -1);
    if (!owner) continue;
    if (inode_of(owner.get()) != first_user_namespace) {
      another_has_it =
          another_has_it || has_original(files, mount_namespace->get(), mount, unique_id);
    } else if (!lowest_is_known) {
      lowest_is_known = true;
      if (*link == *own_link || shows_one_like(files, mount)) return false;
    }
  }
  return another_has_it;
}

bool process_exists(pid_t pid) {
  struct stat status {};
  return ::stat(("/proc/" + std::to_string(pid)).c_str(), &status) == 0;
}

Expected<ProcessFacts> read_process(pid_t pid) {
  const auto opened = open_proc();
  if (!opened) return std::unexpected(opened.error());
  const int proc = opened->get();
  if (pid == 0) pid = own_number(proc);
  TaskFiles files(proc, pid);
  ProcessFacts facts;
  uid_t effective_uid = 0;
  Expected<void> read = files.read_file("mountinfo", facts.mountinfo);
  if (read) read = read_status(files, facts, effective_uid);
  if (read) read = read_owner(files, effective_uid, facts);
  if (!read) return std::unexpected(read.error());
  const auto link = files.read_link("ns/mnt");
  if (!link) return std::unexpected(link.error());
  facts.is_first_namespace = TaskFiles(proc, 1).read_link("ns/mnt") == *link;
  if (facts.mounts == 0 || facts.mounts != std::ranges::count(facts.mountinfo, '\n')) {
    facts.mountinfo_elsewhere = longest_elsewhere(proc, pid, *link, facts.mountinfo);
  }
  facts.has_root_of_pid_1 = facts.is_first_namespace && root_of(proc, 1) == root_of(proc, pid);
  facts.profile = read_profile(files);
  facts.security_modules = first_line(read_file("/sys/kernel/security/lsm"));
  return facts;
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// process.cc: see process.h.
#include "observe/process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>

#include "base/file.h"
#include "observe/proc.h"
#include "observe/statmount.h"

namespace pivotcheck {
namespace {

constexpr ino_t first_user_namespace = 0xEFFFFFFDU;  // PROC_USER_INIT_INO, the same since Linux 3.8
constexpr int user_namespaces_max = 64;              // more than the kernel allows to nest

// user_namespaces(7): a process has a capability in the namespace `owner` if it has it in `owner`
// itself or in a namespace above; and if its uid created, on the way down from its own namespace
// to `owner`, the first one. EPERM for a parent: there is none that the caller may see, so that
// `owner` is neither `users` nor below it.
Expected<bool> has_power_over(UniqueFd owner, ino_t users, bool has_capability, uid_t uid) {
  for (int i = 0; i < user_namespaces_max; ++i) {
    if (inode_of(owner.get()) == users) return has_capability;
    UniqueFd parent(::ioctl(owner.get(), NS_GET_PARENT));
    if (!parent && errno == EPERM) return false;
    if (!parent) return fail_with_errno("ioctl", "NS_GET_PARENT");
    uid_t creator = 0;
    if (inode_of(parent.get()) == users) {
      if (::ioctl(owner.get(), NS_GET_OWNER_UID, &creator) != 0) {
        return fail_with_errno("ioctl", "NS_GET_OWNER_UID");
      }
      if (creator == uid) return true;
    }
    owner = std::move(parent);
  }
  return false;
}

// A filter that refuses ioctl with EPERM must not pass for a namespace out of sight: of its own
// user namespace, every process may ask the type.
Expected<void> check_ioctl(int user_namespace) {
  if (::ioctl(user_namespace, NS_GET_NSTYPE) == CLONE_NEWUSER) return {};
  return fail_with_errno("ioctl", "NS_GET_NSTYPE");
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find_first_of(std::string_view("\n\0", 2)), text.size()));
  return text;
}

// Where no module gives profiles, the file is missing or its read is EINVAL.
Expected<std::string> read_profile(TaskFiles& files) {
  for (const std::string_view name : {"attr/apparmor/current", "attr/current"}) {
    std::string text;
    const auto read = files.read_file(name, text);
    if (read) return first_line(std::move(text));
    if (read.error().error != ENOENT && read.error().error != EINVAL) {
      return std::unexpected(read.error());
    }
  }
  return "";
}

// Asks for the version of Landlock only: no ruleset is made. Where a filter refuses even that, the
// list of modules tells, if it can be read.
bool landlock_is_active() {
  constexpr std::uint32_t version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, version) >= 0) return true;
  return read_file("/sys/kernel/security/lsm").contains("landlock");
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
  TaskFiles own(files.proc(), own_number(files.proc()));
  const auto own_users = own.open("ns/user");
  if (!own_users) return std::unexpected(own_users.error());
  const auto own_mounts = own.open("ns/mnt");
  if (!own_mounts) return std::unexpected(own_mounts.error());
  const ino_t users_inode = inode_of(users->get());
  if (users_inode == 0) return fail_with_errno("fstat", "of /proc/PID/ns/user");
  facts.callers_user_namespace = inode_of(own_users->get()) == users_inode;
  facts.callers_mount_namespace = inode_of(own_mounts->get()) == inode_of(mounts->get());
  if (const auto checked = check_ioctl(own_users->get()); !checked) return checked;
  facts.mounts = identify_namespace(mounts->get()).mounts;
  UniqueFd owner(::ioctl(mounts->get(), NS_GET_USERNS));
  // EPERM: above the caller's, so neither its own nor below, and it has no power over it.
  if (!owner && errno == EPERM) return {};
  if (!owner) return fail_with_errno("ioctl", "NS_GET_USERNS");
  facts.owns_namespace = inode_of(owner.get()) == users_inode;
  facts.machine_owns = inode_of(owner.get()) == first_user_namespace;
  const auto power = has_power_over(std::move(owner), users_inode,
                                    facts.capabilities.has(Capability::sys_admin), effective_uid);
  if (!power) return std::unexpected(power.error());
  facts.may_mount = *power;
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

}  // namespace

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
  auto profile = read_profile(files);
  if (!profile) return std::unexpected(profile.error());
  facts.profile = std::move(*profile);
  facts.landlock_is_active = landlock_is_active();
  return facts;
}

}  // namespace pivotcheck

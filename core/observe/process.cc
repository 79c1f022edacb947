// SPDX-License-Identifier: Apache-2.0
// process.cc: see process.h.
#include "observe/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "observe/mountinfo.h"
#include "observe/proc.h"
#include "observe/statmount.h"
#include "observe/statmount_api.h"

namespace pivotcheck {
namespace {

constexpr ino_t first_user_namespace = 0xEFFFFFFDU;  // PROC_USER_INIT_INO, the same since Linux 3.8
constexpr int user_namespaces_max = 64;              // more than the kernel allows to nest

ino_t inode_of(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

// What stands behind "KEY:" in a status file, as a number.
std::uint64_t number_of(const std::string& status, std::string_view key, int base, int column = 0) {
  const std::size_t at = status.find("\n" + std::string(key) + ":");
  if (at == std::string::npos) return 0;
  const char* text = status.c_str() + at + key.size() + 2;
  std::uint64_t number = 0;
  for (int i = 0; i <= column; ++i) {
    char* end = nullptr;
    number = std::strtoull(text, &end, base);
    text = end;
  }
  return number;
}

bool has(std::uint64_t set, unsigned capability) { return (set >> capability & 1U) != 0; }

Capabilities capabilities_in(std::uint64_t set) {
  Capabilities result;
  result.set(Capability::sys_admin, has(set, CAP_SYS_ADMIN));
  result.set(Capability::sys_chroot, has(set, CAP_SYS_CHROOT));
  result.set(Capability::dac, has(set, CAP_DAC_OVERRIDE) || has(set, CAP_DAC_READ_SEARCH));
  return result;
}

// user_namespaces(7): a capability in the owner is had by whoever has it in the owner itself or in
// a namespace above, and by the uid that made the child, on the way down, of its own namespace.
bool has_power_over(UniqueFd owner, ino_t users, bool has_capability, uid_t uid) {
  for (int i = 0; i < user_namespaces_max && owner; ++i) {
    if (inode_of(owner.get()) == users) return has_capability;
    UniqueFd parent(::ioctl(owner.get(), NS_GET_PARENT));
    uid_t maker = 0;
    if (parent && inode_of(parent.get()) == users &&
        ::ioctl(owner.get(), NS_GET_OWNER_UID, &maker) == 0 && maker == uid) {
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

std::string read_security_modules() {
  const UniqueFd file(::open("/sys/kernel/security/lsm", O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t length = file ? ::read(file.get(), text.data(), text.size()) : -1;
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return first_line(std::move(text));
}

// --- others in the same mount namespace

struct RootIdentity {
  std::uint64_t inode = 0;
  std::uint64_t mount = 0;
  auto operator<=>(const RootIdentity&) const = default;
};
std::optional<RootIdentity> root_of(int proc, TaskFiles& files) {
  struct statx status {};
  if (::statx(proc, files.path("root"), 0, STATX_INO | statmount_api::statx_mount_id, &status) !=
      0) {
    return std::nullopt;
  }
  return RootIdentity{status.stx_ino, status.stx_mnt_id};
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
  while (directory != nullptr) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

// The longest mountinfo of a process in that namespace whose root is another one.
std::string longest_elsewhere(int proc, pid_t pid, const std::string& link,
                              const std::string& own) {
  std::string longest;
  std::string text;
  TaskFiles own_files(proc, pid);
  std::set<RootIdentity> known;
  if (const auto root = root_of(proc, own_files)) known.insert(*root);
  for (const pid_t other : all_processes()) {
    TaskFiles files(proc, other);
    const auto other_link = files.read_link("ns/mnt");
    if (!other_link || *other_link != link) continue;
    const auto root = root_of(proc, files);
    if (!root || !known.insert(*root).second || !files.read_file("mountinfo", text)) continue;
    if (text.size() > std::max(own.size(), longest.size())) longest = text;
  }
  return longest;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// Before 6.12 nobody counts mounts: PID 1 of the machine, if it is in the same namespace, is at the
// root of it.
bool stands_at_the_root_of_pid_1(int proc, TaskFiles& files, const std::string& link) {
  TaskFiles first(proc, 1);
  const auto first_link = first.read_link("ns/mnt");
  return first_link && *first_link == link && root_of(proc, first) == root_of(proc, files);
}

Expected<void> read_owner(TaskFiles& files, const std::string& status, ProcessFacts& facts) {
  const auto mounts = files.open("ns/mnt");
  if (!mounts) return std::unexpected(mounts.error());
  const auto users = files.open("ns/user");
  if (!users) return std::unexpected(users.error());
  const UniqueFd own_users(::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  facts.callers_user_namespace = inode_of(own_users.get()) == inode_of(users->get());
  const UniqueFd own_mounts(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  facts.callers_mount_namespace = inode_of(own_mounts.get()) == inode_of(mounts->get());
  facts.mounts = identify_namespace(mounts->get()).mounts;
  UniqueFd owner(::ioctl(mounts->get(), NS_GET_USERNS));
  if (!owner) return {};  // above the caller's: neither its own nor below, so no power over it
  const ino_t users_inode = inode_of(users->get());
  facts.owns_namespace = inode_of(owner.get()) == users_inode;
  facts.machine_owns = inode_of(owner.get()) == first_user_namespace;
  facts.may_mount =
      has_power_over(std::move(owner), users_inode, facts.effective.has(Capability::sys_admin),
                     static_cast<uid_t>(number_of(status, "Uid", 10, 1)));
  return {};
}

}  // namespace

namespace {

bool shows_one_like(TaskFiles& files, const MountView& mount) {
  std::string text;
  if (!files.read_file("mountinfo", text)) return false;
  const auto lines = parse_mountinfo(text);
  return lines && std::ranges::any_of(*lines, [&](const MountinfoLine& line) {
           return line.mount.filesystem == mount.filesystem && line.mount.root == mount.root;
         });
}

// What listmount knows of that mount's age: mounts are numbered in the order in which they are
// made; 0 where it can't be asked.
std::uint64_t age_of(int space, MountId id) {
  const auto listed = list_mounts(identify_namespace(space));
  if (!listed) return 0;
  const auto found = std::ranges::find(listed->mountinfo_ids, id);
  if (found == listed->mountinfo_ids.end()) return 0;
  return listed->mounts[static_cast<std::size_t>(found - listed->mountinfo_ids.begin())].id;
}

// One like it is there, and is older.
bool shows_original(TaskFiles& files, int space, const MountView& mount, std::uint64_t age) {
  const auto listed = list_mounts(identify_namespace(space));
  if (!listed || age == 0) return shows_one_like(files, mount);
  return std::ranges::any_of(listed->mounts, [&](const MountView& one) {
    return one.filesystem == mount.filesystem && one.root == mount.root && one.id < age;
  });
}

}  // namespace

bool may_come_from_another_owner(pid_t pid, const MountView& mount) {
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return false;
  TaskFiles own(proc.get(), pid != 0 ? pid : own_number(proc.get()));
  const auto own_link = own.read_link("ns/mnt");
  const auto own_space = own.open("ns/mnt");
  if (!own_link || !own_space) return false;
  const std::uint64_t age = age_of(own_space->get(), mount.id);
  // Which of two namespaces is older can't be told: their numbers are handed out to each processor
  // in batches. The lowest process's is the one that most others are copies of.
  bool lowest_is_known = false;
  bool another_has_it = false;
  std::set<std::string> known;
  for (const pid_t other : all_processes()) {
    TaskFiles files(proc.get(), other);
    const auto link = files.read_link("ns/mnt");
    if (!link || !known.insert(*link).second) continue;
    const auto space = files.open("ns/mnt");
    const UniqueFd owner(space ? ::ioctl(space->get(), NS_GET_USERNS) : -1);
    if (!owner) continue;
    if (inode_of(owner.get()) != first_user_namespace) {
      another_has_it = another_has_it || shows_original(files, space->get(), mount, age);
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
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return fail_with_errno("open", "/proc", Failure::Kind::cannot_run);
  if (pid == 0) pid = own_number(proc.get());
  TaskFiles files(proc.get(), pid);
  ProcessFacts facts;
  std::string status;
  if (const auto read = files.read_file("mountinfo", facts.mountinfo); !read) {
    return std::unexpected(read.error());
  }
  if (const auto read = files.read_file("status", status); !read) {
    return std::unexpected(read.error());
  }
  facts.effective = capabilities_in(number_of(status, "CapEff", 16));
  facts.seccomp_mode = static_cast<int>(number_of(status, "Seccomp", 10));
  facts.seccomp_filters = static_cast<int>(number_of(status, "Seccomp_filters", 10));
  facts.no_new_privileges = number_of(status, "NoNewPrivs", 10) != 0;
  if (const auto read = read_owner(files, status, facts); !read) {
    return std::unexpected(read.error());
  }
  const auto link = files.read_link("ns/mnt");
  if (!link) return std::unexpected(link.error());
  TaskFiles first(proc.get(), 1);
  facts.is_first_namespace = first.read_link("ns/mnt") == *link;
  if (facts.mounts == 0 || facts.mounts != lines_of(facts.mountinfo)) {
    facts.mountinfo_elsewhere = longest_elsewhere(proc.get(), pid, *link, facts.mountinfo);
  }
  if (facts.mounts == 0) {
    facts.at_namespace_root = stands_at_the_root_of_pid_1(proc.get(), files, *link);
  }
  facts.profile = read_profile(files);
  facts.security_modules = read_security_modules();
  return facts;
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// resolved_paths.cc: see resolved_paths.h. What the child has to say it writes into memory shared with its
// parent; it allocates nothing that must outlive it, and never returns.
//
// Order matters in become(): descriptors of the process's /proc first, as its own credentials may
// not be enough to open them; then the namespaces; then its root, which takes CAP_SYS_CHROOT; the
// credentials last.
#include "explain/resolved_paths.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "base/wait_status.h"
#include "syscalls/syscalls.h"
#include "syscalls/setup_error.h"
#include "observe/proc.h"
#include "observe/statmount_api.h"

namespace pivotcheck {
namespace {

using kernel::no_setup_error;
using kernel::SetupError;
using kernel::trouble;

constexpr std::string_view removed_suffix = " (deleted)";  // as readlink has it in /proc

// --- what the child writes

struct SharedPath {
  int error;
  std::uint64_t mount;
  bool below_root, removed, directory, mount_root, dangling;
  std::array<char, PATH_MAX> path;
  std::array<char, PATH_MAX> missing;
};
struct Shared {
  bool answered;
  SetupError trouble;  // its text is a literal: at one address in both processes
  int error;        // of the rehearsed call
  std::array<SharedPath, 4> paths;
};

class SharedMemory {
 public:
  SharedMemory() {
    void* at =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) shared_ = static_cast<Shared*>(at);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() {
    if (shared_ != nullptr) ::munmap(shared_, sizeof(Shared));
  }
  [[nodiscard]] Shared* get() const { return shared_; }

 private:
  Shared* shared_ = nullptr;
};

// --- becoming like the process

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::uint64_t effective = 0;
};

// The numbers behind "KEY:" in a status file.
std::vector<std::uint64_t> numbers_of(const std::string& status, std::string_view key, int base) {
  std::vector<std::uint64_t> numbers;
  const std::size_t at = status.find("\n" + std::string(key) + ":");
  if (at == std::string::npos) return numbers;
  const char* text = status.c_str() + at + key.size() + 2;
  while (*text == '\t' || *text == ' ') ++text;
  while (*text != '\n' && *text != '\0') {
    char* end = nullptr;
    numbers.push_back(std::strtoull(text, &end, base));
    if (end == text) break;
    text = end;
    while (*text == '\t' || *text == ' ') ++text;
  }
  return numbers;
}

// As the user namespace has them in which the reader is.
bool read_credentials(TaskFiles& files, Credentials& credentials) {
  std::string status;
  if (!files.read_file("status", status)) return false;
  const auto uids = numbers_of(status, "Uid", 10);
  const auto gids = numbers_of(status, "Gid", 10);
  const auto effective = numbers_of(status, "CapEff", 16);
  if (uids.size() != 4 || gids.size() != 4 || effective.size() != 1) return false;
  credentials.uid = static_cast<uid_t>(uids[3]);  // the one that counts in the filesystem
  credentials.gid = static_cast<gid_t>(gids[3]);
  for (const std::uint64_t group : numbers_of(status, "Groups", 10)) {
    credentials.groups.push_back(static_cast<gid_t>(group));
  }
  credentials.effective = effective[0];
  return true;
}

bool set_effective(std::uint64_t capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> words{};
  if (::syscall(SYS_capget, &header, words.data()) != 0) return false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto wanted = static_cast<std::uint32_t>(capabilities >> (32 * i));
    words[i].effective = wanted & words[i].permitted;
  }
  return ::syscall(SYS_capset, &header, words.data()) == 0;
}

// An ordinary user's process has these already, or can't have them.
void take_on(const Credentials& credentials) {
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  ::syscall(SYS_setgroups, credentials.groups.size(), credentials.groups.data());
  ::syscall(SYS_setresgid, credentials.gid, credentials.gid, credentials.gid);
  ::syscall(SYS_setresuid, credentials.uid, credentials.uid, credentials.uid);
  set_effective(credentials.effective);
}

bool same_file(int one, int other) {
  struct stat a {};
  struct stat b {};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

// The device, inode and mount of what a descriptor shows.
struct Identity {
  std::uint64_t mount = 0;
  std::uint64_t inode = 0;
  std::uint32_t device = 0;
  std::uint32_t links = 0;
  bool directory = false;
  bool mount_root = false;
  bool operator==(const Identity& other) const {
    return mount == other.mount && inode == other.inode && device == other.device;
  }
};
Identity identity_of(int descriptor) {
  struct statx status {};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_BASIC_STATS | statmount_api::statx_mount_id,
              &status) != 0) {
    return {};
  }
  return {.mount = status.stx_mnt_id,
          .inode = status.stx_ino,
          .device = (status.stx_dev_major << 20) ^ status.stx_dev_minor,
          .links = status.stx_nlink,
          .directory = S_ISDIR(status.stx_mode),
          .mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

UniqueFd open_path(int directory, const char* path, int flags = 0) {
  return UniqueFd(::openat(directory, path, O_PATH | O_CLOEXEC | flags));
}

// The user namespace that owns a mount namespace.
UniqueFd owner_of(int mount_namespace) { return UniqueFd(::ioctl(mount_namespace, NS_GET_USERNS)); }

class Impersonator {
 public:
  Impersonator(int proc, pid_t pid) : files_(proc, pid), proc_(proc) {}

  SetupError become(bool in_a_copy) {
    TaskFiles own(proc_, own_number(proc_));
    root_ = open_path(proc_, files_.path("root"));
    if (!root_) return trouble("open of /proc/PID/root");
    directory_ = open_path(proc_, files_.path("cwd"));
    if (!directory_) return trouble("open of /proc/PID/cwd");
    auto mounts = files_.open("ns/mnt");
    auto users = files_.open("ns/user");
    auto own_mounts = own.open("ns/mnt");
    auto own_users = own.open("ns/user");
    if (!mounts || !users || !own_mounts || !own_users) return trouble("open of /proc/PID/ns");
    UniqueFd owner = owner_of(mounts->get());
    const int wanted_users = in_a_copy ? owner.get() : users->get();
    if (wanted_users < 0) return trouble("NS_GET_USERNS of the mount namespace");
    owns_ = owner && same_file(owner.get(), users->get());
    if (!same_file(wanted_users, own_users->get()) && ::setns(wanted_users, CLONE_NEWUSER) != 0) {
      return trouble("setns to the user namespace");
    }
    if (in_a_copy && !same_file(mounts->get(), own_mounts->get()) &&
        ::setns(mounts->get(), CLONE_NEWNS) != 0) {
      return trouble("setns to the mount namespace");
    }
    if (const SetupError t = stand(); t) return t;
    if (in_a_copy && ::unshare(CLONE_NEWNS) != 0) return trouble("unshare(CLONE_NEWNS)");
    Credentials credentials;
    if (!read_credentials(files_, credentials)) return trouble("reading /proc/PID/status");
    if (in_a_copy && !owns_) credentials.effective = ~std::uint64_t{0};
    take_on(credentials);
    return no_setup_error;
  }

 private:
  SetupError stand() {
    const UniqueFd own_root = open_path(AT_FDCWD, "/");
    if (!(identity_of(root_.get()) == identity_of(own_root.get()))) {
      if (::fchdir(root_.get()) != 0) return trouble("fchdir to /proc/PID/root");
      if (::chroot(".") != 0) return trouble("chroot to /proc/PID/root");
    }
    if (::fchdir(directory_.get()) != 0) return trouble("fchdir to /proc/PID/cwd");
    return no_setup_error;
  }

  TaskFiles files_;
  int proc_;
  UniqueFd root_;
  UniqueFd directory_;
  bool owns_ = true;
};

// --- where paths lead, once the child stands there

class PathResolver {
 public:
  explicit PathResolver(int proc) : proc_(proc), root_(open_path(AT_FDCWD, "/")) {}

  // From what a descriptor shows; the rest may be "".
  void look_from(int start, std::string_view rest, SharedPath& result) {
    result.error = start < 0 ? EBADF : 0;
    if (start < 0) return;
    rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
    if (rest.empty()) return tell(start, false, result);
    start_ = start;
    resolve_as(std::string(rest).c_str(), result);
    start_ = AT_FDCWD;
  }

  void resolve_as(const char* path, SharedPath& result) {
    result.error = 0;
    UniqueFd found = open_path(start_, path);
    if (!found) {
      result.error = errno;
      if (result.error != ENOENT || *path == '\0') return;
      result.dangling = static_cast<bool>(open_path(start_, path, O_NOFOLLOW));
      found = nearest(path, result);
      if (!found) return;
    }
    tell(found.get(), *path == '/', result);
  }

 private:
  void tell(int found, bool from_root, SharedPath& result) {
    const Identity identity = identity_of(found);
    result.mount = identity.mount;
    result.directory = identity.directory;
    result.mount_root = identity.mount_root;
    result.below_root = from_root || !identity.directory || is_below_root(found);
    read_path(found, identity, result);
  }

  // What is there of a path that is not: its first names; the others become `missing`.
  UniqueFd nearest(const char* path, SharedPath& result) {
    std::string there = path;
    std::string missing;
    while (true) {
      while (there.size() > 1 && there.ends_with('/')) there.pop_back();
      const std::size_t slash = there.find_last_of('/');
      const std::string name = there.substr(slash + 1);
      if (name.empty()) return UniqueFd();
      missing = missing.empty() ? name : name + "/" + missing;
      there = slash == std::string::npos ? "." : slash == 0 ? "/" : there.substr(0, slash);
      if (missing.size() >= result.missing.size()) return UniqueFd();
      UniqueFd found = open_path(start_, there.c_str());
      if (found) {
        std::ranges::copy(missing, result.missing.begin());
        return found;
      }
      if (errno != ENOENT || there == "." || there == "/") return UniqueFd();
    }
  }

  // Up and up, until the root (or what is mounted on it) or the top of everything is reached.
  bool is_below_root(int from) {
    const Identity root = identity_of(root_.get());
    const Identity on_root = identity_of(open_path(AT_FDCWD, "/..").get());
    UniqueFd at = open_path(from, ".");
    for (Identity here = identity_of(at.get()); at;) {
      if (here == root || here == on_root) return true;
      UniqueFd up = open_path(at.get(), "..");
      const Identity above = identity_of(up.get());
      if (!up || above == here) return !up && errno == EACCES;
      at = std::move(up);
      here = above;
    }
    return true;
  }

  void read_path(int descriptor, const Identity& identity, SharedPath& result) {
    const std::string link = "self/fd/" + std::to_string(descriptor);
    const ssize_t length =
        ::readlinkat(proc_, link.c_str(), result.path.data(), result.path.size() - 1);
    if (length < 0) return;
    const auto size = static_cast<std::size_t>(length);
    result.path[size] = '\0';
    const std::string_view printed(result.path.data(), size);
    if (!printed.ends_with(removed_suffix)) return;
    // A name may end so too. Directories that are removed have no links, on most filesystems.
    const UniqueFd named = open_path(AT_FDCWD, result.path.data());
    result.removed = identity.links == 0 || !named || !(identity_of(named.get()) == identity);
    if (result.removed) result.path[size - removed_suffix.size()] = '\0';
  }

  int proc_;
  UniqueFd root_;
  int start_ = AT_FDCWD;  // of paths that do not begin at the root
};

// --- the parent's side

// Forks a child for `work(shared)`; the child's wait status. The C library's fork: the caller may
// have threads, and one of them the lock of the memory that the child is about to take.
template <class Work>
Expected<int> in_a_child(Shared* shared, Work work) {
  if (shared == nullptr) return fail_with_errno("mmap", "for a child");
  const pid_t child = ::fork();
  if (child < 0) return fail_with_errno("fork", "of a child");
  if (child == 0) {
    work(*shared);
    shared->answered = true;
    kernel::sys_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno == ECHILD) return 0;  // it has ended, and the caller ignores SIGCHLD
    if (errno != EINTR) return fail_with_errno("waitpid", "for a child");
  }
  return status;
}

// Before the child becomes like the process, whose credentials may not be enough for it.
UniqueFd descriptor_of(int proc, pid_t pid, const PathAsked& path) {
  if (path.descriptor < 0) return UniqueFd();
  TaskFiles files(proc, pid != 0 ? pid : own_number(proc));
  return open_path(proc, files.path("fd/" + std::to_string(path.descriptor)));
}

Expected<UniqueFd> open_proc() {
  UniqueFd proc = open_path(AT_FDCWD, "/proc");
  if (!proc) return fail_with_errno("open", "/proc", Failure::Kind::cannot_run);
  return proc;
}

std::unexpected<Failure> child_failed(const Shared& shared, int status) {
  if (shared.trouble) {
    return fail("standing where the process stands: " + kernel::to_string(shared.trouble),
                Failure::Kind::cannot_run);
  }
  return fail("the child that stood where the process stands " + describe_wait_status(status));
}

ResolvedPath seen(const SharedPath& shared) {
  return {.error = shared.error,
          .mount = shared.mount,
          .path = shared.path.data(),
          .missing = shared.missing.data(),
          .below_root = shared.below_root,
          .removed = shared.removed,
          .directory = shared.directory,
          .mount_root = shared.mount_root,
          .dangling = shared.dangling};
}

}  // namespace

Expected<ResolvedPaths> resolve_as(pid_t pid, const PathAsked& first, const PathAsked& second) {
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  const SharedMemory memory;
  const auto status = in_a_child(memory.get(), [&](Shared& shared) {
    const std::array<const PathAsked*, 2> asked{&first, &second};
    const std::array<UniqueFd, 2> starts{descriptor_of(proc->get(), pid, first),
                                         descriptor_of(proc->get(), pid, second)};
    if (pid != 0) shared.trouble = Impersonator(proc->get(), pid).become(false);
    if (shared.trouble) return;
    PathResolver looker(proc->get());
    looker.resolve_as("/", shared.paths[0]);
    looker.resolve_as(".", shared.paths[1]);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (asked[i]->descriptor < 0) {
        looker.resolve_as(asked[i]->text.c_str(), shared.paths[2 + i]);
      } else {
        looker.look_from(starts[i].get(), asked[i]->text, shared.paths[2 + i]);
      }
    }
  });
  if (!status) return std::unexpected(status.error());
  const Shared& shared = *memory.get();
  if (!shared.answered || shared.trouble) return child_failed(shared, *status);
  return ResolvedPaths{.root = seen(shared.paths[0]),
                    .current_directory = seen(shared.paths[1]),
                    .first = seen(shared.paths[2]),
                    .second = seen(shared.paths[3])};
}

Expected<Outcome> dry_run_pivot_root(pid_t pid, const std::string& new_root, const std::string& put_old) {
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  const SharedMemory memory;
  const pid_t whose = pid != 0 ? pid : own_number(proc->get());
  const auto status = in_a_child(memory.get(), [&](Shared& shared) {
    shared.trouble = Impersonator(proc->get(), whose).become(true);
    if (shared.trouble) return;
    const bool done = kernel::sys_pivot_root(new_root.c_str(), put_old.c_str()) == 0;
    shared.error = done ? 0 : errno;
  });
  if (!status) return std::unexpected(status.error());
  const Shared& shared = *memory.get();
  if (!shared.answered || shared.trouble) return child_failed(shared, *status);
  return Outcome{shared.error};
}

bool root_is_namespace_root(pid_t pid) {
  const auto proc = open_proc();
  if (!proc) return false;
  const SharedMemory memory;
  const pid_t whose = pid != 0 ? pid : own_number(proc->get());
  const auto status = in_a_child(memory.get(), [&](Shared& shared) {
    TaskFiles files(proc->get(), whose);
    const UniqueFd root = open_path(proc->get(), files.path("root"));
    const auto mounts = files.open("ns/mnt");
    shared.error = EPERM;
    if (!root || !mounts) return;
    // First of all as it is: only an owner below takes entering the user namespace.
    if (::setns(mounts->get(), CLONE_NEWNS) != 0) {
      const UniqueFd owner = owner_of(mounts->get());
      if (!owner || ::setns(owner.get(), CLONE_NEWUSER) != 0 ||
          ::setns(mounts->get(), CLONE_NEWNS) != 0) {
        return;
      }
    }
    const UniqueFd top = open_path(AT_FDCWD, "/");
    if (top && identity_of(top.get()) == identity_of(root.get())) shared.error = 0;
  });
  return status && memory.get()->answered && memory.get()->error == 0;
}

Expected<Outcome> ask_seccomp_filter() {
  const SharedMemory memory;
  const auto status = in_a_child(memory.get(), [](Shared& shared) {
    shared.error = kernel::sys_pivot_root(nullptr, nullptr) == 0 ? 0 : errno;
  });
  if (!status) return std::unexpected(status.error());
  if (WIFSIGNALED(*status) && WTERMSIG(*status) == SIGSYS) return Outcome{ENOSYS};
  const Shared& shared = *memory.get();
  if (!shared.answered) return child_failed(shared, *status);
  return Outcome{shared.error == EFAULT ? 0 : shared.error};
}

}  // namespace pivotcheck

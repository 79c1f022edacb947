// SPDX-License-Identifier: Apache-2.0
// resolved_paths.cc: see resolved_paths.h. The child writes its answer into memory shared with its
// parent, and ends; nothing that it allocates must outlive it.
//
// The order in take_on() matters: first the descriptors from /proc, which the other
// process's credentials may not be enough to open; then the namespaces; then the root, which takes
// CAP_SYS_CHROOT; the credentials last.
#include "explain/resolved_paths.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "base/wait_status.h"
#include "observe/proc.h"
#include "syscalls/capabilities.h"
#include "syscalls/setup_error.h"
#include "syscalls/syscalls.h"

namespace pivotcheck {
namespace {

using kernel::no_setup_error;
using kernel::setup_error;
using kernel::SetupError;

constexpr std::string_view removed_suffix = " (deleted)";  // of a link in /proc

// What the child writes.
struct SharedPath : PathFacts {
  std::array<char, PATH_MAX> path;
  std::array<char, PATH_MAX> missing;
};
struct Shared {
  bool answered;
  SetupError setup_error;  // its text is a literal: at one address in both processes
  int error;               // of the call that was tried
  int status;              // of the child's end; the parent writes it
  std::array<SharedPath, 4> paths;
};
using SharedMemory =
    std::unique_ptr<Shared, decltype([](Shared* shared) { ::munmap(shared, sizeof(Shared)); })>;

// --- taking on what another process has

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::uint64_t effective = 0;  // capabilities
};

// The ids are those of the reader's user namespace.
bool read_credentials(TaskFiles& files, Credentials& credentials) {
  std::string status;
  if (!files.read_file("status", status)) return false;
  const auto uids = status_numbers(status, "Uid");
  const auto gids = status_numbers(status, "Gid");
  const auto effective = status_numbers(status, "CapEff", 16);
  if (uids.size() != 4 || gids.size() != 4 || effective.size() != 1) return false;
  credentials.uid = static_cast<uid_t>(uids[3]);  // the one that filesystems check
  credentials.gid = static_cast<gid_t>(gids[3]);
  for (const std::uint64_t group : status_numbers(status, "Groups")) {
    credentials.groups.push_back(static_cast<gid_t>(group));
  }
  credentials.effective = effective[0];
  return true;
}

// Refusals are ignored: an ordinary user's process has these credentials already, or can't get
// them.
void take_on_credentials(const Credentials& credentials) {
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  ::syscall(SYS_setgroups, credentials.groups.size(), credentials.groups.data());
  ::syscall(SYS_setresgid, credentials.gid, credentials.gid, credentials.gid);
  ::syscall(SYS_setresuid, credentials.uid, credentials.uid, credentials.uid);
  kernel::set_effective_capabilities(credentials.effective);
}

UniqueFd open_path(int directory, const char* path, int flags = 0) {
  return UniqueFd(::openat(directory, path, O_PATH | O_CLOEXEC | flags));
}

// The user namespace that owns a mount namespace.
UniqueFd owner_of(int mount_namespace) { return UniqueFd(::ioctl(mount_namespace, NS_GET_USERNS)); }

SetupError enter_root(int root, int directory) {
  if (file_status(root).identity != file_status(AT_FDCWD, "/").identity) {
    if (::fchdir(root) != 0) return setup_error("fchdir to /proc/PID/root");
    if (::chroot(".") != 0) return setup_error("chroot to /proc/PID/root");
  }
  return ::fchdir(directory) == 0 ? no_setup_error : setup_error("fchdir to /proc/PID/cwd");
}

SetupError take_on(int proc, pid_t pid, bool in_a_copy) {
  TaskFiles files(proc, pid);
  TaskFiles own(proc, own_number(proc));
  const UniqueFd root = open_path(proc, files.path("root"));
  if (!root) return setup_error("open of /proc/PID/root");
  const UniqueFd directory = open_path(proc, files.path("cwd"));
  if (!directory) return setup_error("open of /proc/PID/cwd");
  const auto mounts = files.open("ns/mnt");
  const auto users = files.open("ns/user");
  const auto own_mounts = own.open("ns/mnt");
  const auto own_users = own.open("ns/user");
  if (!mounts || !users || !own_mounts || !own_users) return setup_error("open of /proc/PID/ns");
  const UniqueFd owner = owner_of(mounts->get());
  const int wanted_users = in_a_copy ? owner.get() : users->get();
  if (wanted_users < 0) return setup_error("NS_GET_USERNS of the mount namespace");
  const bool is_owner = owner && inode_of(owner.get()) == inode_of(users->get());
  if (inode_of(wanted_users) != inode_of(own_users->get()) &&
      ::setns(wanted_users, CLONE_NEWUSER) != 0) {
    return setup_error("setns to the user namespace");
  }
  if (in_a_copy && inode_of(mounts->get()) != inode_of(own_mounts->get()) &&
      ::setns(mounts->get(), CLONE_NEWNS) != 0) {
    return setup_error("setns to the mount namespace");
  }
  if (const SetupError error = enter_root(root.get(), directory.get())) return error;
  if (in_a_copy && ::unshare(CLONE_NEWNS) != 0) return setup_error("unshare(CLONE_NEWNS)");
  Credentials credentials;
  if (!read_credentials(files, credentials)) return setup_error("reading /proc/PID/status");
  if (in_a_copy && !is_owner) credentials.effective = ~std::uint64_t{0};
  take_on_credentials(credentials);
  return no_setup_error;
}

// --- where paths lead, in a child that has taken on the process's root and directory

class PathResolver {
 public:
  explicit PathResolver(int proc) : proc_(proc), root_(file_status(AT_FDCWD, "/").identity) {}

  // From the current directory, or from what the descriptor `start` shows; then the text may be "".
  void resolve(int start, std::string path, SharedPath& result) {
    result.error = start == -1 ? EBADF : 0;
    if (result.error != 0) return;
    if (start != AT_FDCWD) {
      path.erase(0, path.find_first_not_of('/'));
      if (path.empty()) return describe(start, false, result);
    }
    UniqueFd found = open_path(start, path.c_str());
    if (!found) {
      result.error = errno;
      if (result.error != ENOENT || path.empty()) return;
      result.dangling = static_cast<bool>(open_path(start, path.c_str(), O_NOFOLLOW));
      found = existing_part(start, path, result);
      if (!found) return;
    }
    describe(found.get(), path.starts_with('/'), result);
  }

 private:
  void describe(int found, bool from_root, SharedPath& result) {
    const FileStatus status = file_status(found);
    result.mount = status.identity.mount;
    result.directory = status.directory;
    result.mount_root = status.mount_root;
    result.below_root = from_root || !status.directory || is_below_root(found);
    read_path(found, status, result);
  }

  // The first names of the path, as far as they exist; the others become `missing`.
  static UniqueFd existing_part(int start, std::string there, SharedPath& result) {
    std::string missing;
    while (true) {
      while (there.size() > 1 && there.ends_with('/')) there.pop_back();
      const std::size_t slash = there.find_last_of('/');
      const std::string name = there.substr(slash + 1);
      if (name.empty()) return UniqueFd();
      missing = missing.empty() ? name : name + "/" + missing;
      there = slash == std::string::npos ? "." : slash == 0 ? "/" : there.substr(0, slash);
      if (missing.size() >= result.missing.size()) return UniqueFd();
      UniqueFd found = open_path(start, there.c_str());
      if (found) std::ranges::copy(missing, result.missing.begin());
      if (found || errno != ENOENT || there == "." || there == "/") return found;
    }
  }

  // Goes up until the root (or what is mounted on it) or the top of the tree is reached.
  bool is_below_root(int from) {
    const FileIdentity on_root = file_status(AT_FDCWD, "/..").identity;
    UniqueFd at = open_path(from, ".");
    for (FileIdentity here = file_status(at.get()).identity; at;) {
      if (here == root_ || here == on_root) return true;
      UniqueFd up = open_path(at.get(), "..");
      if (!up) return errno == EACCES;
      const FileIdentity above = file_status(up.get()).identity;
      if (above == here) return false;
      at = std::move(up);
      here = above;
    }
    return true;
  }

  void read_path(int descriptor, const FileStatus& status, SharedPath& result) {
    const std::string link = "self/fd/" + std::to_string(descriptor);
    const ssize_t length =
        ::readlinkat(proc_, link.c_str(), result.path.data(), result.path.size() - 1);
    if (length < 0) return;
    const auto size = static_cast<std::size_t>(length);
    result.path[size] = '\0';
    if (!std::string_view(result.path.data(), size).ends_with(removed_suffix)) return;
    // A name may end so too. Removed directories have no links, on most filesystems.
    result.removed =
        status.links == 0 || file_status(AT_FDCWD, result.path.data()).identity != status.identity;
    if (result.removed) result.path[size - removed_suffix.size()] = '\0';
  }

  int proc_;
  FileIdentity root_;
};

// --- the parent's side

// Forks a child for `work(shared)` and waits for its end. The C library's fork: the caller may have
// threads, and one of them may hold the allocator's lock.
Expected<SharedMemory> in_a_child(auto work) {
  void* at =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return fail_with_errno("mmap", "for a child");
  SharedMemory shared(static_cast<Shared*>(at));
  const pid_t child = ::fork();
  if (child < 0) return fail_with_errno("fork", "of a child");
  if (child == 0) {
    work(*shared);
    shared->answered = true;
    kernel::sys_exit(0);
  }
  while (::waitpid(child, &shared->status, 0) < 0) {
    if (errno == ECHILD) break;  // it has ended, and the caller ignores SIGCHLD
    if (errno != EINTR) return fail_with_errno("waitpid", "for a child");
  }
  return shared;
}

Expected<SharedMemory> answered(Expected<SharedMemory> shared) {
  if (!shared) return shared;
  const Shared& memory = **shared;
  if (memory.setup_error) {
    return fail("acting as the process: " + kernel::to_string(memory.setup_error),
                Failure::Kind::cannot_run);
  }
  if (memory.answered) return shared;
  return fail("the child that acted as the process " + describe_wait_status(memory.status));
}

// The same for `work(shared, proc)`, which must have answered.
Expected<SharedMemory> ask_child(auto work) {
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  return answered(in_a_child([&](Shared& memory) { work(memory, proc->get()); }));
}

pid_t number_in(int proc, pid_t pid) { return pid != 0 ? pid : own_number(proc); }

// "." and the like: the lookup does not leave the current directory, so that it does not enter
// what is mounted there meanwhile.
bool names_current_directory(std::string_view path) {
  return path.starts_with('.') && !path.contains("..") &&
         path.find_first_not_of("./") == std::string_view::npos;
}

ResolvedPath resolved(const SharedPath& shared, const PathAsked& asked) {
  return {{shared},
          shared.path.data(),
          shared.missing.data(),
          asked.text,
          asked.descriptor < 0 && names_current_directory(asked.text)};
}

}  // namespace

Expected<std::array<ResolvedPath, 4>> resolve_as(pid_t pid, const PathAsked& first,
                                                 const PathAsked& second) {
  const std::array<PathAsked, 4> asked{{{"/"}, {"."}, first, second}};
  const auto shared = ask_child([&](Shared& memory, int proc) {
    std::array<UniqueFd, 4> starts;  // opened with this process's own credentials
    TaskFiles files(proc, number_in(proc, pid));
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (asked[i].descriptor < 0) continue;
      starts[i] = open_path(proc, files.path("fd/" + std::to_string(asked[i].descriptor)));
    }
    if (pid != 0) memory.setup_error = take_on(proc, pid, false);
    if (memory.setup_error) return;
    PathResolver resolver(proc);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const int start = asked[i].descriptor < 0 ? AT_FDCWD : starts[i].get();
      resolver.resolve(start, asked[i].text, memory.paths[i]);
    }
  });
  if (!shared) return std::unexpected(shared.error());
  std::array<ResolvedPath, 4> paths;
  std::ranges::transform((*shared)->paths, asked, paths.begin(), resolved);
  return paths;
}

Expected<Outcome> dry_run_pivot_root(pid_t pid, const std::string& new_root,
                                     const std::string& put_old) {
  const auto shared = ask_child([&](Shared& memory, int proc) {
    memory.setup_error = take_on(proc, number_in(proc, pid), true);
    if (memory.setup_error) return;
    const bool done = kernel::sys_pivot_root(new_root.c_str(), put_old.c_str()) == 0;
    memory.error = done ? 0 : errno;
  });
  if (!shared) return std::unexpected(shared.error());
  return Outcome{(*shared)->error};
}

bool root_is_namespace_root(pid_t pid) {
  const auto shared = ask_child([&](Shared& memory, int proc) {
    TaskFiles files(proc, number_in(proc, pid));
    const FileIdentity root = file_status(proc, files.path("root")).identity;
    const auto mounts = files.open("ns/mnt");
    memory.error = EPERM;
    if (root == FileIdentity{} || !mounts) return;
    // The user namespace only if it takes that: when the owner is below this process's own.
    if (::setns(mounts->get(), CLONE_NEWNS) != 0) {
      const UniqueFd owner = owner_of(mounts->get());
      if (!owner || ::setns(owner.get(), CLONE_NEWUSER) != 0 ||
          ::setns(mounts->get(), CLONE_NEWNS) != 0) {
        return;
      }
    }
    if (file_status(AT_FDCWD, "/").identity == root) memory.error = 0;
  });
  return shared && (*shared)->error == 0;
}

Expected<Outcome> ask_seccomp_filter() {
  auto shared = in_a_child([](Shared& memory) {
    memory.error = kernel::sys_pivot_root(nullptr, nullptr) == 0 ? 0 : errno;
  });
  if (shared && WIFSIGNALED((*shared)->status) && WTERMSIG((*shared)->status) == SIGSYS) {
    return Outcome{ENOSYS};
  }
  const auto answer = answered(std::move(shared));
  if (!answer) return std::unexpected(answer.error());
  return Outcome{(*answer)->error == EFAULT ? 0 : (*answer)->error};
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// resolved_paths.cc: see resolved_paths.h. The child writes its answer into memory shared with its
// parent, and ends; nothing that it allocates must outlive it.
//
// The order in take_on() matters: first the descriptors from /proc, which the other
// process's credentials may not be enough to open; then the namespaces; then the root, which takes
// CAP_SYS_CHROOT; the credentials last.
#include "explain/resolved_paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <string_view>
#include <vector>

#include "base/file.h"
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
  std::array<char, NAME_MAX + 1> similar;
};
struct Shared {
  bool answered;
  SetupError setup_error;  // its text is a literal: at one address in both processes
  int error;               // of the call that was tried
  const char* call;        // that was refused, a literal
  int filter_error;        // ask_refusers()
  bool filter_is_known;
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
  const FileIdentity wanted = file_status(root).identity;
  if (wanted == FileIdentity{}) return setup_error("statx of /proc/PID/root");
  if (wanted != file_status(AT_FDCWD, "/").identity) {
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
  if (inode_of(users->get()) == 0) return setup_error("fstat of /proc/PID/ns/user");
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

// Whether one is the other with a letter more, less, changed, or two exchanged.
bool is_like(std::string_view one, std::string_view other) {
  const auto same = std::ranges::mismatch(one, other);
  one = {same.in1, one.end()};
  other = {same.in2, other.end()};
  while (!one.empty() && !other.empty() && one.back() == other.back()) {
    one.remove_suffix(1);
    other.remove_suffix(1);
  }
  const bool exchanged =
      one.size() == 2 && other.size() == 2 && one[0] == other[1] && one[1] == other[0];
  return exchanged || (one.size() <= 1 && other.size() <= 1);
}

// A name for a mistyped one. Where the directory can't be read, there is none.
void find_similar(int directory, const std::string& name, SharedPath& result) {
  constexpr int entries_max = 10'000;
  const int readable = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = readable < 0 ? nullptr : ::fdopendir(readable);
  if (entries == nullptr || name.size() < 3) return;
  for (int i = 0; i < entries_max; ++i) {
    const dirent* entry = ::readdir(entries);
    if (entry == nullptr) return;
    const std::string_view found = entry->d_name;
    if (found.size() < 3 || !is_like(name, found)) continue;
    *std::ranges::copy(found, result.similar.begin()).out = '\0';
    return;
  }
}

// --- where paths lead, in a child that has taken on the process's root and directory

// pivot_root would answer the same; any other errno of an openat is about the look.
bool is_about_the_path(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG ||
         error == EACCES;
}

class PathResolver {
 public:
  explicit PathResolver(int proc) : proc_(proc), root_(file_status(AT_FDCWD, "/").identity) {}

  // From the current directory, or from what the descriptor `start` shows; then the text may be "".
  // Returns what was found; none on an error, which is in the result or, of a look, in failed().
  UniqueFd resolve(int start, std::string path, SharedPath& result, bool is_argument) {
    is_argument_ = is_argument;
    result.error = start == -1 ? EBADF : 0;
    if (result.error != 0) return UniqueFd();
    if (start != AT_FDCWD) path.erase(0, path.find_first_not_of('/'));
    const bool is_start = start != AT_FDCWD && path.empty();
    UniqueFd found =
        is_start ? UniqueFd(::fcntl(start, F_DUPFD_CLOEXEC, 0)) : open_path(start, path.c_str());
    if (!found) {
      result.error = errno;
      if (!is_about_the_path(errno)) note_failure("openat of a path");
      if (result.error != ENOENT || path.empty()) return UniqueFd();
      result.dangling = static_cast<bool>(open_path(start, path.c_str(), O_NOFOLLOW));
      if (!result.dangling && !is_about_the_path(errno)) note_failure("openat of a link");
      found = existing_part(start, path, result);
      if (!found) return UniqueFd();
    }
    describe(found.get(), path.starts_with('/'), result);
    return found;
  }

  [[nodiscard]] SetupError failed() const { return failed_; }

 private:
  void note_failure(const char* call) {
    if (!failed_) failed_ = setup_error(call);
  }

  void describe(int found, bool from_root, SharedPath& result) {
    const FileStatus status = file_status(found);
    if (status.identity == FileIdentity{}) return note_failure("statx");
    result.mount = status.identity.mount;
    result.directory = status.directory;
    result.mount_root = status.mount_root;
    result.below_root = from_root || !status.directory || is_below_root(found);
    read_path(found, status, result);
  }

  // The first names of the path, as far as they exist; the others become `missing`.
  UniqueFd existing_part(int start, std::string there, SharedPath& result) {
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
      if (found) find_similar(found.get(), missing.substr(0, missing.find('/')), result);
      if (!found && errno != ENOENT) note_failure("openat of a part of a path");
      if (found || errno != ENOENT || there == "." || there == "/") return found;
    }
  }

  // Goes up until the root (or what is mounted on it) or the top of the tree is reached.
  bool is_below_root(int from) {
    const FileIdentity on_root = file_status(AT_FDCWD, "/..").identity;
    FileIdentity here = file_status(from).identity;
    for (UniqueFd at; here != root_ && here != on_root;) {
      UniqueFd up = open_path(at ? at.get() : from, "..");
      // Nothing depends on the directory of a process that gives no path relative to it. ENOENT: a
      // directory that was removed, or renamed out of what its mount shows.
      if (!up && (errno == EACCES || errno == ENOENT) && !is_argument_) return true;
      if (!up) note_failure("openat of ..");
      const FileIdentity above = up ? file_status(up.get()).identity : FileIdentity{};
      if (up && above == FileIdentity{}) note_failure("statx of ..");
      if (above == FileIdentity{}) return false;
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
    if (length < 0) return note_failure("readlink in /proc/self/fd");
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
  bool is_argument_ = false;
  SetupError failed_;
};

// --- whether a mount is locked

// The root of the mount that a path leads to; none where the process's root is in the way.
UniqueFd mount_root_of(UniqueFd at) {
  FileStatus here = file_status(at.get());
  while (at && !here.mount_root) {
    UniqueFd up = open_path(at.get(), "..");
    const FileStatus above = file_status(up.get());
    if (above.identity == here.identity || above.identity.mount != here.identity.mount) return {};
    at = std::move(up);
    here = above;
  }
  return at;
}

// Whether something is mounted on the root of a mount: umount2 would find that instead.
bool is_covered(int at, std::uint64_t mount) {
  return ::fchdir(at) != 0 || ::chroot(".") != 0 ||
         file_status(AT_FDCWD, "/..").identity.mount != mount;
}

// A move of a mount into itself can't succeed: it is ELOOP, after the lock was checked; its EINVAL has
// other reasons too. Then umount2(MNT_EXPIRE) is asked, of a mount without a cover: EINVAL if it is
// locked; EBUSY if it is in use, as by `at`, and then it is not marked (umount(2), ERRORS). Only what
// somebody mounts on it between the look for a cover and this call could get an expiry mark. EINVAL
// also in another mount namespace, and for the caller's root: the child enters the one and leaves the
// other, and ends after that.
std::optional<bool> ask_lock(int proc, UniqueFd at, int mount_namespace) {
  constexpr unsigned both_empty = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  const std::uint64_t mount = file_status(at.get()).identity.mount;
  kernel::set_effective_capabilities(~std::uint64_t{0});
  if (mount_namespace >= 0 && ::setns(mount_namespace, CLONE_NEWNS) != 0) return std::nullopt;
  ::syscall(SYS_move_mount, at.get(), "", at.get(), "", both_empty);
  if (errno == ELOOP) return false;
  const UniqueFd root = open_path(AT_FDCWD, "/");
  if (is_covered(at.get(), mount)) return std::nullopt;
  // Any root but one on that mount.
  const int away = file_status(root.get()).identity.mount == mount ? proc : root.get();
  if (::fchdir(away) != 0 || ::chroot(".") != 0 || ::fchdir(proc) != 0) return std::nullopt;
  if (file_status(AT_FDCWD, "/").identity.mount == mount) return std::nullopt;
  const std::string link = "self/fd/" + std::to_string(at.get());
  if (::umount2(link.c_str(), MNT_EXPIRE) == 0) return std::nullopt;
  return errno == EBUSY    ? std::optional(false)
         : errno == EINVAL ? std::optional(true)
                           : std::nullopt;
}

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
    return fail("looking as the process: " + kernel::to_string(memory.setup_error),
                Failure::Kind::cannot_run, memory.setup_error.error);
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
          shared.similar.data(),
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
    const auto mounts = files.open("ns/mnt");
    TaskFiles own(proc, own_number(proc));
    const auto own_link = own.read_link("ns/mnt");
    const auto link = files.read_link("ns/mnt");
    const bool is_in_own = own_link && link && *own_link == *link;
    if (pid != 0) memory.setup_error = take_on(proc, pid, false);
    if (memory.setup_error) return;
    PathResolver resolver(proc);
    UniqueFd new_root;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const int start = asked[i].descriptor < 0 ? AT_FDCWD : starts[i].get();
      UniqueFd found = resolver.resolve(start, asked[i].text, memory.paths[i], i >= 2);
      if (i == 2) new_root = mount_root_of(std::move(found));
    }
    memory.setup_error = resolver.failed();
    memory.answered = true;  // a seccomp filter may kill the child for the next call
    if (!new_root || !mounts) return;
    memory.paths[2].locked = ask_lock(proc, std::move(new_root), is_in_own ? -1 : mounts->get());
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

Expected<Refusers> ask_refusers() {
  auto shared = in_a_child([](Shared& memory) {
    const auto ask = [&](const char* path) {
      memory.error = kernel::sys_pivot_root(path, path) == 0 ? 0 : errno;
    };
    ask(nullptr);
    // The capability is asked for before the pointers are used (until Linux 7.0). One is had in
    // namespaces of the child's own.
    if (memory.error == EPERM && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) ask(nullptr);
    memory.filter_is_known = memory.error != EPERM;
    memory.filter_error = memory.error == EFAULT ? 0 : memory.error;
    if (memory.error == EFAULT) ask("/");
  });
  if (shared && WIFSIGNALED((*shared)->status) && WTERMSIG((*shared)->status) == SIGSYS) {
    return Refusers{.filter = Outcome{ENOSYS}};
  }
  const auto answer = answered(std::move(shared));
  if (!answer) return std::unexpected(answer.error());
  const Shared& memory = **answer;
  Refusers refusers;
  if (memory.filter_is_known) refusers.filter = Outcome{memory.filter_error};
  refusers.module_refuses = memory.error == EPERM;
  return refusers;
}

Expected<std::string> try_own_namespaces() {
  const auto shared = ask_child([](Shared& memory, int) {
    const std::string map = "0 " + std::to_string(::geteuid()) + " 1";
    const char* refused = nullptr;
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      refused = "unshare";
    } else if (!write_file("/proc/self/uid_map", map)) {
      refused = "write to uid_map";
    } else if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 &&
               errno != EINVAL) {
      refused = "mount";  // EINVAL: / is no mount, as in a chroot
    }
    memory.call = refused;
    memory.error = errno;
  });
  if (!shared) return std::unexpected(shared.error());
  if ((*shared)->call == nullptr) return "";
  return std::string((*shared)->call) + ": " + errno_name((*shared)->error);
}

}  // namespace pivotcheck

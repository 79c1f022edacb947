// SPDX-License-Identifier: Apache-2.0
// inspect.cc: see inspect.h.
#include "switch/inspect.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/unique_fd.h"
#include "syscalls/syscalls.h"
#include "switch/refusal.h"

namespace pivotcheck::rootswitch {
namespace {

std::unexpected<SwitchFailure> bad(std::string message) {
  return std::unexpected(bad_options(std::move(message)));
}
std::unexpected<SwitchFailure> no(std::string message, int error = 0) {
  if (error != 0) message += ": " + error_text(error);
  SwitchFailure failure = refused_before(std::move(message), error);
  failure.rule = rule_of_name(error);
  return std::unexpected(std::move(failure));
}

// --- options that contradict each other ----------------------------------------------------------

Switched<void> check_map(const std::vector<IdRange>& map, const char* whose) {
  for (const IdRange& range : map) {
    const auto fits = [&](std::uint32_t first) {
      return std::uint64_t{first} + range.count <= 0xffffffffULL;
    };
    if (range.count == 0 || !fits(range.inside) || !fits(range.outside)) {
      return bad(std::string("a range of the ") + whose + " map is empty or too long");
    }
  }
  return {};
}

bool mounts_proc(const SwitchOptions& options) {
  return std::ranges::any_of(options.mounts, [](const MountAt& mount) {
    return std::holds_alternative<ProcAt>(mount);
  });
}

Switched<void> check_namespaces(const SwitchOptions& options) {
  const bool mapped = !options.uid_map.empty() || !options.gid_map.empty();
  if (mapped && !options.user_namespace) return bad("an id map without a user namespace");
  if (options.user_namespace && (options.uid_map.empty() || options.gid_map.empty())) {
    return bad("a user namespace without a map: without ids nothing can be made in it");
  }
  if (auto checked = check_map(options.uid_map, "uid"); !checked) return checked;
  if (auto checked = check_map(options.gid_map, "gid"); !checked) return checked;
  const bool own_pids = options.pid_namespace || options.strategy == Strategy::proc_first;
  if (options.user_namespace && mounts_proc(options) && !own_pids) {
    return no("a new /proc in a user namespace needs a new PID namespace as well (--unshare pid)");
  }
  return {};
}

Switched<void> check_rest(const SwitchOptions& options) {
  constexpr std::size_t instructions_max = 4096;  // BPF_MAXINSNS
  if (options.seccomp_program.size() > instructions_max) {
    return bad("the seccomp program has more than 4096 instructions");
  }
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat status {};
    if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
      return no("descriptor " + std::to_string(fd) +
                " is a directory: it would lead out of the new root");
    }
  }
  return {};
}

// --- the root ------------------------------------------------------------------------------------

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real ? real.get() : "";
}

Switched<std::string> check_root(const std::string& asked) {
  if (asked.empty()) return bad("no new root was named");
  std::string path = asked;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return no("new root " + asked, errno);
  if (S_ISLNK(status.st_mode)) {
    return no("new root " + asked + " is a symbolic link: name the directory it leads to");
  }
  if (!S_ISDIR(status.st_mode)) return no("new root " + asked, ENOTDIR);
  std::string real = real_path(path);
  if (real.empty()) return no("new root " + asked, errno);
  return real;
}

// The mount point of the mount that a directory is in: itself or the nearest one above it.
std::string mount_point_of(std::string path) {
  for (;;) {
    struct statx status {};
    if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &status) == 0 &&
        (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
      return path;
    }
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.size() == 1) return "/";
    path.resize(std::max<std::size_t>(slash, 1));
  }
}

Switched<strategy::Entry> look_at(int directory, const char* name) {
  using Kind = strategy::Entry::Kind;
  struct stat status {};
  if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return no(name, errno);
  strategy::Entry entry{.name = name, .kind = Kind::file, .link_target = {}};
  if (S_ISDIR(status.st_mode)) entry.kind = Kind::directory;
  if (!S_ISLNK(status.st_mode)) return entry;
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(directory, name, target.data(), target.size());
  if (size < 0) return no(name, errno);
  entry.kind = Kind::symlink;
  entry.link_target.assign(target.data(), static_cast<std::size_t>(size));
  return entry;
}

Switched<std::vector<strategy::Entry>> contents_of(const std::string& root) {
  constexpr std::size_t entries_max = 1000;  // each one is a mount
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(root.c_str()), &::closedir);
  if (!directory) return no("reading the new root", errno);
  std::vector<strategy::Entry> entries;
  while (const dirent* found = ::readdir(directory.get())) {
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    auto entry = look_at(::dirfd(directory.get()), found->d_name);
    if (!entry) return std::unexpected(entry.error());
    entries.push_back(*std::move(entry));
    if (entries.size() > entries_max) return no("the new root has more than 1000 names at its top");
  }
  std::ranges::sort(entries, {}, &strategy::Entry::name);
  return entries;
}

// --- mounts --------------------------------------------------------------------------------------

// Kernels don't let a link or a '..' out of the root (RESOLVE_IN_ROOT): an absolute link starts at
// the new root, '..' stays there. A link that climbs past the root is a mistake or worse, and is
// told; it would end somewhere else than whoever made it meant.
bool climbs_out(int root, const std::string& target) {
  const std::string relative = target.substr(target.find_first_not_of('/'));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const UniqueFd beneath(kernel::sys_openat2(root, relative.c_str(), how));
  if (beneath || errno != EXDEV) return false;
  // EXDEV: '..' past the root, or an absolute link. Of the two, only the first is left when every
  // absolute link is known to stay inside; so look for one that is relative and climbs.
  std::size_t depth = 0;
  std::string_view rest = relative;
  std::string walked;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") return depth == 0;
    walked += (walked.empty() ? "" : "/") + name;
    std::array<char, PATH_MAX> link{};
    const ssize_t size = ::readlinkat(root, walked.c_str(), link.data(), link.size());
    if (size > 0) {
      std::size_t level = depth;
      std::string_view text(link.data(), static_cast<std::size_t>(size));
      if (text.starts_with('/')) return false;
      while (!text.empty()) {
        const std::size_t end = std::min(text.find('/'), text.size());
        const std::string_view part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (part == ".." && level-- == 0) return true;
        if (!part.empty() && part != "." && part != "..") ++level;
      }
      return false;
    }
    ++depth;
  }
  return false;
}

Switched<std::string> check_target(int root, const std::string& asked) {
  if (asked.empty()) return bad("a mount without a target");
  std::string target = asked.starts_with('/') ? asked : "/" + asked;
  if (target.find_first_not_of("/.") == std::string::npos) {
    return no("mount target " + asked + " is the new root itself");
  }
  if (climbs_out(root, target)) {
    return no("mount target " + asked + " leaves the new root by a link");
  }
  return target;
}

struct Translate {
  int root;
  Switched<strategy::MountRequest> operator()(const BindAt& bind) const {
    struct stat status {};
    if (::stat(bind.source.c_str(), &status) != 0) return no("bind source " + bind.source, errno);
    const std::string source = real_path(bind.source);
    if (source.empty()) return no("bind source " + bind.source, errno);
    return with_target(bind.target, [&](std::string target) {
      return strategy::BindMount{.source = source,
                                 .target = std::move(target),
                                 .recursive = bind.recursive,
                                 .read_only = bind.read_only,
                                 .of_file = !S_ISDIR(status.st_mode)};
    });
  }
  Switched<strategy::MountRequest> operator()(const TmpfsAt& tmpfs) const {
    return with_target(tmpfs.target, [](std::string at) { return strategy::TmpfsMount{at}; });
  }
  Switched<strategy::MountRequest> operator()(const ProcAt& proc) const {
    return with_target(proc.target, [](std::string at) { return strategy::ProcMount{at}; });
  }
  Switched<strategy::MountRequest> operator()(const DevAt& dev) const {
    return with_target(dev.target, [](std::string at) { return strategy::DevMount{at}; });
  }

  template <class Make>
  Switched<strategy::MountRequest> with_target(const std::string& asked, Make make) const {
    auto target = check_target(root, asked);
    if (!target) return std::unexpected(target.error());
    return strategy::MountRequest(make(*std::move(target)));
  }
};

// The machine's own user namespace has a number that never changes (PROC_USER_INIT_INO).
bool in_user_namespace() {
  constexpr ino_t machines_own = 0xEFFFFFFD;
  struct stat status {};
  return ::stat("/proc/self/ns/user", &status) != 0 || status.st_ino != machines_own;
}

unsigned long other_namespaces(const SwitchOptions& options) {
  return (options.ipc_namespace ? CLONE_NEWIPC : 0UL) |
         (options.uts_namespace ? CLONE_NEWUTS : 0UL) |
         (options.net_namespace ? CLONE_NEWNET : 0UL) |
         (options.cgroup_namespace ? CLONE_NEWCGROUP : 0UL);
}

}  // namespace

Switched<strategy::Plan> inspect(const SwitchOptions& options) {
  if (auto checked = check_namespaces(options); !checked) return std::unexpected(checked.error());
  if (auto checked = check_rest(options); !checked) return std::unexpected(checked.error());
  auto root = check_root(options.new_root);
  if (!root) return std::unexpected(root.error());
  strategy::Plan plan;
  plan.new_root = *std::move(root);
  if (!options.mounts.empty()) {
    const UniqueFd directory(::open(plan.new_root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return no("new root " + options.new_root, errno);
    for (const MountAt& mount : options.mounts) {
      auto request = std::visit(Translate{directory.get()}, mount);
      if (!request) return std::unexpected(request.error());
      plan.mounts.push_back(*std::move(request));
    }
  }
  if (options.strategy == Strategy::dot_dot) plan.parent_mount = mount_point_of(plan.new_root);
  if (options.strategy == Strategy::tmpfs_sandbox) {
    auto contents = contents_of(plan.new_root);
    if (!contents) return std::unexpected(contents.error());
    plan.contents = *std::move(contents);
  }
  plan.propagation = options.slave_mounts ? Propagation::slave : Propagation::private_;
  plan.read_only = options.read_only;
  plan.user_namespace = options.user_namespace;
  plan.in_user_namespace = mounts_proc(options) && in_user_namespace();
  plan.pid_namespace = options.pid_namespace || options.strategy == Strategy::proc_first;
  plan.mount_namespace = options.mount_namespace;
  plan.other_namespaces = other_namespaces(options);
  return plan;
}

}  // namespace pivotcheck::rootswitch

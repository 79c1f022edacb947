// SPDX-License-Identifier: Apache-2.0
// inspect.cc: inspect(), see launch.h.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/unique_fd.h"
#include "model/rules.h"
#include "switch/launch.h"
#include "switch/refusal.h"
#include "switch/strategy/parts.h"
#include "syscalls/namespaces.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

std::unexpected<SwitchFailure> bad(std::string message) {
  return std::unexpected(
      SwitchFailure{SwitchFailure::Kind::bad_options, "", 0, "", std::move(message)});
}
// The rule of a lookup that failed is known from its errno.
std::unexpected<SwitchFailure> no(std::string message, int error = 0) {
  SwitchFailure failure = refused_before(std::move(message), error);
  const Rule rule = error == ENOENT    ? Rule::name_missing
                    : error == ENOTDIR ? Rule::not_a_directory
                    : error == EACCES  ? Rule::search_denied
                    : error == ELOOP   ? Rule::too_many_links
                                       : Rule::none;
  if (rule != Rule::none) failure.rule = info(rule).name;
  return std::unexpected(std::move(failure));
}

// --- options that contradict each other ----------------------------------------------------------

bool is_sound(const IdRange& range) {
  const auto fits = [&](std::uint32_t first) {
    return std::uint64_t{first} + range.count <= 0xffffffffULL;
  };
  return range.count != 0 && fits(range.inside) && fits(range.outside);
}

bool mounts_proc(const SwitchOptions& options) {
  return std::ranges::any_of(
      options.mounts, [](const MountAt& mount) { return std::holds_alternative<ProcAt>(mount); });
}

Switched<void> check_options(const SwitchOptions& options) {
  const bool mapped = !options.uid_map.empty() || !options.gid_map.empty();
  if (mapped && !options.user_namespace) return bad("an id map without a user namespace");
  if (options.user_namespace && (options.uid_map.empty() || options.gid_map.empty())) {
    return bad("a user namespace without a map: without ids nothing can be made in it");
  }
  if (!std::ranges::all_of(options.uid_map, is_sound)) {
    return bad("a range of the uid map is empty or too long");
  }
  if (!std::ranges::all_of(options.gid_map, is_sound)) {
    return bad("a range of the gid map is empty or too long");
  }
  const bool own_pids = options.pid_namespace || options.strategy == Strategy::proc_first;
  if (options.user_namespace && mounts_proc(options) && !own_pids) {
    return no("a new /proc in a user namespace needs a new PID namespace as well (--unshare pid)");
  }
  if (!options.hostname.empty() && !options.uts_namespace) {
    return bad("a host name needs a UTS namespace of its own (--unshare uts)");
  }
  if (options.hostname.size() > HOST_NAME_MAX) return bad("the host name has more than 64 bytes");
  constexpr std::size_t instructions_max = 4096;  // BPF_MAXINSNS
  std::size_t all = 0;
  for (const auto& program : options.seccomp_programs) {
    all += program.size();
    if (program.empty() || program.size() > instructions_max) {
      return bad("a seccomp program has no instruction, or more than 4096");
    }
  }
  if (options.seccomp_programs.size() > INIT_FILTERS_MAX || all > INIT_INSTRUCTIONS_MAX) {
    return bad("there are more than 16 seccomp programs, or more than 32768 instructions");
  }
  for (const int fd : options.keep_descriptors) {
    if (::fcntl(fd, F_GETFD) < 0) {
      return bad("descriptor " + std::to_string(fd) + " is to be kept, and is not open");
    }
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

// The only time that its name is looked up.
Switched<UniqueFd> open_root(const std::string& asked) {
  if (asked.empty()) return bad("no new root was named");
  std::string path = asked;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  struct stat status {};
  UniqueFd root(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!root || ::fstat(root.get(), &status) != 0) return no("new root " + asked, errno);
  if (S_ISLNK(status.st_mode)) {
    return no("new root " + asked + " is a symbolic link: name the directory it leads to");
  }
  if (!S_ISDIR(status.st_mode)) return no("new root " + asked, ENOTDIR);
  return root;
}

// "" and errno if it is no link.
std::string read_link(int directory, const char* path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(directory, path, target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

Switched<strategy::Entry> look_at(int directory, const char* name) {
  using Kind = strategy::Entry::Kind;
  struct stat status {};
  if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return no(name, errno);
  strategy::Entry entry{.name = name, .kind = Kind::file, .link_target = {}};
  if (S_ISDIR(status.st_mode)) entry.kind = Kind::directory;
  if (!S_ISLNK(status.st_mode)) return entry;
  entry.kind = Kind::symlink;
  entry.link_target = read_link(directory, name);
  if (entry.link_target.empty()) return no(name, errno);
  return entry;
}

Switched<std::vector<strategy::Entry>> contents_of(int root) {
  constexpr std::size_t entries_max = 1000;  // each one is a mount
  UniqueFd readable(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!readable) return no("reading the new root", errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(readable.release()), &::closedir);
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

// A relative link, `depth` directories below the root, leads above the root.
bool climbs_past(std::string_view link, std::size_t depth) {
  if (link.starts_with('/')) return false;
  for (const std::string& name : strategy::components(link)) {
    if (name != "..")
      ++depth;
    else if (depth-- == 0)
      return true;
  }
  return false;
}

// The kernel keeps links and '..' inside the new root (RESOLVE_IN_ROOT): an absolute link starts at
// the new root, '..' stays there. A relative link that climbs past the root would end elsewhere
// than its author meant, so it is refused.
bool climbs_out(int root, const std::string& target) {
  const std::string relative = target.substr(target.find_first_not_of('/'));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const UniqueFd beneath(kernel::sys_openat2(root, relative.c_str(), how));
  if (beneath || errno != EXDEV) return false;
  // EXDEV: '..' past the root, or an absolute link, which is allowed. Find out which.
  std::size_t depth = 0;
  std::string walked;
  for (const std::string& name : strategy::components(relative)) {
    if (name == "..") return depth == 0;
    walked += (walked.empty() ? "" : "/") + name;
    const std::string link = read_link(root, walked.c_str());
    if (!link.empty()) return climbs_past(link, depth);
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

// The path of the terminal at standard input, if this process finds it there; "" for none.
std::string terminal() {
  std::array<char, PATH_MAX> path{};
  return ::ttyname_r(STDIN_FILENO, path.data(), path.size()) == 0 ? path.data() : "";
}

// "" and errno if nothing is there.
std::string real_path(const std::string& path) {
  std::array<char, PATH_MAX> real{};
  return ::realpath(path.c_str(), real.data()) != nullptr ? real.data() : "";
}

Switched<strategy::MountRequest> check_mount(int root, const MountAt& asked) {
  strategy::MountRequest request{.what = asked};
  if (auto* bind = std::get_if<BindAt>(&request.what)) {
    struct stat status {};
    const std::string source = real_path(bind->source);
    if (source.empty() || ::stat(source.c_str(), &status) != 0) {
      return no("bind source " + bind->source, errno);
    }
    bind->source = source;
    request.of_file = !S_ISDIR(status.st_mode);
  }
  const auto target = check_target(root, request.target());
  if (!target) return std::unexpected(target.error());
  std::visit([&](auto& mount) { mount.target = *target; }, request.what);
  if (std::holds_alternative<DevAt>(request.what)) request.console = terminal();
  return request;
}

// Nothing is made on a disk, and no link that was asked for leads elsewhere.
Switched<void> check_made(const strategy::Plan& plan, const std::vector<strategy::Entry>* contents) {
  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    const strategy::MountRequest& request = plan.mounts[i];
    const std::vector<std::string> names = strategy::components(request.target());
    for (const strategy::MountRequest& link : std::span(plan.mounts).first(i)) {
      if (std::holds_alternative<SymlinkAt>(link.what) &&
          strategy::is_below(names, strategy::components(link.target()))) {
        return bad(request.target() + " lies behind the link " + link.target());
      }
    }
    const bool makes = std::holds_alternative<DirectoryAt>(request.what) ||
                       std::holds_alternative<SymlinkAt>(request.what);
    if (makes && !strategy::own_place(plan.mounts, i, contents)) {
      return bad(request.target() +
                 " is not in a tmpfs that an option before it makes (--tmpfs, --dev): nothing is "
                 "made in the new root itself");
    }
  }
  return {};
}

// The machine's own user namespace has a number that never changes (PROC_USER_INIT_INO).
bool in_user_namespace() {
  constexpr ino_t machines_own = 0xEFFFFFFD;
  struct stat status {};
  const UniqueFd own(kernel::own_namespace(kernel::user_namespace));
  return !own || ::fstat(own.get(), &status) != 0 || status.st_ino != machines_own;
}

// --read-only, and mounts: those of the options, and the /proc of proc-first. That one can be left
// to root of the machine, who could mount another.
bool has_what_to_lock(const SwitchOptions& options) {
  if (options.read_only || !options.mounts.empty()) return true;
  return options.strategy == Strategy::proc_first &&
         (options.user_namespace || in_user_namespace());
}

}  // namespace

Switched<Inspected> inspect(const SwitchOptions& options) {
  if (auto checked = check_options(options); !checked) return std::unexpected(checked.error());
  auto root = open_root(options.new_root);
  if (!root) return std::unexpected(root.error());
  strategy::Plan plan;
  plan.new_root = options.new_root;
  for (const MountAt& mount : options.mounts) {
    auto request = check_mount(root->get(), mount);
    if (!request) return std::unexpected(request.error());
    plan.mounts.push_back(*std::move(request));
  }
  const bool sandbox = options.strategy == Strategy::tmpfs_sandbox;
  if (sandbox) {
    auto contents = contents_of(root->get());
    if (!contents) return std::unexpected(contents.error());
    plan.contents = *std::move(contents);
  }
  if (auto made = check_made(plan, sandbox ? &plan.contents : nullptr); !made) {
    return std::unexpected(made.error());
  }
  plan.propagation = options.slave_mounts ? Propagation::slave : Propagation::private_;
  plan.read_only = options.read_only;
  plan.user_namespace = options.user_namespace;
  plan.pid_namespace = options.pid_namespace || options.strategy == Strategy::proc_first;
  plan.mount_namespace = options.mount_namespace;
  plan.other_namespaces = (options.ipc_namespace ? CLONE_NEWIPC : 0UL) |
                          (options.uts_namespace ? CLONE_NEWUTS : 0UL) |
                          (options.net_namespace ? CLONE_NEWNET : 0UL) |
                          (options.cgroup_namespace ? CLONE_NEWCGROUP : 0UL);
  plan.hostname = options.hostname;
  constexpr std::uint64_t sys_admin = std::uint64_t{1} << CAP_SYS_ADMIN;
  plan.lock_mounts = options.lock_mounts && (options.dropped_capabilities & sys_admin) == 0 &&
                     has_what_to_lock(options);
  plan.confine = options.confine;
  plan.new_session = options.new_session;
  for (const std::string& name : strategy::components(options.directory)) {
    plan.directory += (plan.directory == "/" ? "" : "/") + name;
  }
  return Inspected{std::move(plan), *std::move(root)};
}

}  // namespace pivotcheck::rootswitch

// SPDX-License-Identifier: Apache-2.0
// confine.cc: see confine.h.
#include "switch/confine.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "switch/refusal.h"

namespace pivotcheck::rootswitch {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
#endif

constexpr std::uint32_t nobody = 65534;  // the user and the group that Debian gives no file

// A kind of ids, users or groups, in the caller's user namespace. The machine's id 0 is the owner of
// /proc, or nobody's where that id is not mapped: a map tells only what the namespace above calls it.
struct Kind {
  std::uint32_t root = nobody;
  bool maps_nobody = false;  // there is an id 65534
};

Kind look_at(const char* file, uid_t owner_of_proc) {
  Kind kind{.root = owner_of_proc};
  std::ifstream lines(std::string("/proc/self/") + file);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (lines >> inside >> outside >> count) {
    kind.maps_nobody = kind.maps_nobody || (inside <= nobody && nobody < inside + count);
  }
  return kind;
}

// A user's own id; nobody's for root of the machine or of a container, if there is such an id.
std::vector<IdRange> own_id(std::uint32_t id, const Kind& kind) {
  const bool is_root = id == 0 || id == kind.root;
  const std::uint32_t outside = is_root && kind.maps_nobody ? nobody : id;
  return {{.inside = is_root ? nobody : id, .outside = outside, .count = 1}};
}

bool maps_root(const std::vector<IdRange>& map, const Kind& kind) {
  return kind.root != nobody && std::ranges::any_of(map, [&](const IdRange& range) {
           return range.outside <= kind.root && kind.root - range.outside < range.count;
         });
}

bool is_directory(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_of(int directory, const char* path, long filesystem) {
  const UniqueFd found(::openat(directory, path, O_PATH | O_CLOEXEC));
  struct statfs status {};
  return found && ::fstatfs(found.get(), &status) == 0 && status.f_type == filesystem;
}
bool shows_processes(const std::string& path) {
  return is_of(AT_FDCWD, path.c_str(), PROC_SUPER_MAGIC) || is_of(AT_FDCWD, path.c_str(), SYSFS_MAGIC);
}

const std::string& target_of(const MountAt& mount) {
  return std::visit([](const auto& its) -> const std::string& { return its.target; }, mount);
}

// Is `path` that directory, or below it?
bool is_below(std::string_view path, std::string_view directory) {
  while (directory.ends_with('/')) directory.remove_suffix(1);
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// A tree of the caller's mounts that comes into the new root.
struct Arrival {
  std::string source;
  std::string target;
  std::span<const MountAt> later;  // may cover some of it
};

std::vector<Arrival> arrivals(const SwitchOptions& options) {
  const auto path_of = [](const std::string& name) {
    std::error_code error;
    const std::string path = std::filesystem::canonical(name, error).string();
    return path == "/" ? "" : path;
  };
  const std::span<const MountAt> mounts = options.mounts;
  std::vector<Arrival> found{{path_of(options.new_root), "", mounts}};
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const auto* bind = std::get_if<BindAt>(&mounts[i]);
    if (bind != nullptr) {
      found.push_back({path_of(bind->source), bind->target, mounts.subspan(i + 1)});
    }
  }
  return found;
}

// A mount of a /proc or a /sys that comes along, and that nothing covers there; "" for none. As it is
// now: the machine's administrator may mount another.
std::string machines_own_in(const std::vector<Arrival>& trees) {
  std::ifstream mountinfo("/proc/self/mountinfo");
  for (std::string line; std::getline(mountinfo, line);) {
    const std::size_t separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    const std::string_view type = std::string_view(line).substr(separator + 3);
    if (!type.starts_with("proc ") && !type.starts_with("sysfs ")) continue;
    std::istringstream fields(line);
    std::string mount_point;  // the fifth; a space in it is \040 (proc_pid_mountinfo(5))
    for (int i = 0; i < 5; ++i) fields >> mount_point;
    for (const Arrival& tree : trees) {
      if (!is_below(mount_point, tree.source)) continue;
      const std::string place = tree.target + mount_point.substr(tree.source.size());
      const bool covered = std::ranges::any_of(
          tree.later, [&](const MountAt& mount) { return is_below(place, target_of(mount)); });
      if (!covered) return mount_point;
    }
  }
  return "";
}

// What contradicts it; "" for nothing.
std::string contradiction(const SwitchOptions& options) {
  if (options.strategy == Strategy::chroot || options.strategy == Strategy::move_chroot) {
    return "the strategy " + std::string(info(options.strategy).name) +
           ", which leaves the old root within reach";
  }
  if (!options.lock_mounts) return "mounts that are not locked";
  for (const MountAt& mount : options.mounts) {
    const auto* proc = std::get_if<ProcAt>(&mount);
    if (proc != nullptr && proc->open) return "a /proc that hides nothing";
    const auto* bind = std::get_if<BindAt>(&mount);
    if (bind != nullptr && (bind->suid || bind->dev)) {
      return "set-user-ID programs or devices on " + bind->target;
    }
    if (bind != nullptr && shows_processes(bind->source)) {
      return "this machine's " + bind->source + " (--proc makes a new one)";
    }
  }
  if (const std::string found = machines_own_in(arrivals(options)); !found.empty()) {
    return "this machine's " + found + " in the new root (--proc or --tmpfs there covers it)";
  }
  const auto directory = std::ranges::find_if(options.keep_descriptors, is_directory);
  if (directory == options.keep_descriptors.end()) return "";
  return "descriptor " + std::to_string(*directory) + ", a directory";
}

std::unexpected<SwitchFailure> excluded(const std::string& what) {
  return std::unexpected(SwitchFailure{SwitchFailure::Kind::bad_options, "", 0, "",
                                       "confinement excludes " + what});
}

// What no namespace closes: the keys of the user (keyrings(7)), the sockets of the machine that this
// one runs on (vsock(7)), typing into a terminal (ioctl_tty(2)), and children in the caller's name
// (CLONE_PARENT), which nobody but the caller could reap; clone3 too, whose flags a filter can't see.
// Other architectures' calls have other numbers: none of them is let through.
std::vector<std::uint64_t> outer_calls_filter() {
  constexpr auto refuse = [](int error) {
    return static_cast<std::uint32_t>(SECCOMP_RET_ERRNO | static_cast<unsigned>(error));
  };
  constexpr std::uint32_t number = offsetof(seccomp_data, nr);
  constexpr std::uint32_t first = offsetof(seccomp_data, args);
  constexpr std::uint32_t second = first + sizeof(std::uint64_t);
  std::vector<sock_filter> program;
  const auto add = [&](unsigned code, std::uint32_t value, unsigned yes = 0, unsigned no = 0) {
    program.push_back({static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(yes),
                       static_cast<std::uint8_t>(no), value});
  };
  const auto load = [&](std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); };
  const auto equals = BPF_JMP | BPF_JEQ | BPF_K;
  const auto answer = [&](std::uint32_t what) { add(BPF_RET | BPF_K, what); };
  const auto call = [&](long which, int error) {  // the number is loaded
    add(equals, static_cast<std::uint32_t>(which), 0, 1);
    answer(refuse(error));
  };
  // A call with this bit, or this value, in an argument (its lower half).
  const auto call_with = [&](long which, std::uint32_t argument, unsigned test,
                             std::uint32_t value, int error) {
    add(equals, static_cast<std::uint32_t>(which), 0, 4);
    load(argument);
    add(BPF_JMP | test | BPF_K, value, 0, 1);
    answer(refuse(error));
    load(number);
  };
  load(offsetof(seccomp_data, arch));
  add(equals, own_architecture, 1, 0);
  answer(refuse(ENOSYS));
  load(number);
#ifdef __x86_64__
  add(BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 0, 1);  // x32
  answer(refuse(ENOSYS));
#endif
  for (const long which : {SYS_keyctl, SYS_add_key, SYS_request_key, SYS_clone3}) {
    call(which, ENOSYS);
  }
  call_with(SYS_clone, first, BPF_JSET, CLONE_PARENT, EPERM);
  call_with(SYS_socket, first, BPF_JEQ, AF_VSOCK, EAFNOSUPPORT);
  call_with(SYS_ioctl, second, BPF_JEQ, TIOCSTI, EPERM);
  call_with(SYS_ioctl, second, BPF_JEQ, TIOCLINUX, EPERM);
  answer(SECCOMP_RET_ALLOW);
  std::vector<std::uint64_t> words(program.size());
  std::memcpy(words.data(), program.data(), program.size() * sizeof(sock_filter));
  return words;
}

// A call and arguments that are no process's right, or no descriptor, no address, no flags.
struct Impossible {
  const char* name;
  long number;
  std::array<long, 5> arguments;
};
constexpr std::array impossible{
    Impossible{"unshare", SYS_unshare, {1}},
    Impossible{"setns", SYS_setns, {-1, 0}},
    Impossible{"mount", SYS_mount, {-1, -1, -1, -1, -1}},
    Impossible{"open_tree", SYS_open_tree, {-1, -1, -1}},
    Impossible{"move_mount", SYS_move_mount, {-1, -1, -1, -1, -1}},
    Impossible{"mount_setattr", SYS_mount_setattr, {-1, -1, -1, -1, 0}},
    Impossible{"fsopen", SYS_fsopen, {-1, -1}},
    Impossible{"fsconfig", SYS_fsconfig, {-1, -1, -1, -1, -1}},
    Impossible{"fsmount", SYS_fsmount, {-1, -1, -1}},
    Impossible{"pivot_root", SYS_pivot_root, {-1, -1}},
    Impossible{"umount2", SYS_umount2, {-1, -1}},
    Impossible{"chroot", SYS_chroot, {-1}},
    Impossible{"chdir", SYS_chdir, {-1}},
    Impossible{"fchdir", SYS_fchdir, {-1}},
    Impossible{"setgroups", SYS_setgroups, {-1, -1}},
    Impossible{"capset", SYS_capset, {-1, -1}},
    Impossible{"prctl", SYS_prctl, {-1, -1, -1, -1, -1}},
    Impossible{"seccomp", SYS_seccomp, {-1, -1, -1}},
    Impossible{"close_range", SYS_close_range, {1, 0, 0}},
    Impossible{"fcntl", SYS_fcntl, {-1, -1, -1}},
    Impossible{"dup3", SYS_dup3, {-1, -1, -1}},
    Impossible{"write", SYS_write, {-1, -1, 1}},
};

}  // namespace

int pretended_call() {
  for (std::size_t i = 0; i < impossible.size(); ++i) {
    const auto& [a, b, c, d, e] = impossible[i].arguments;
    if (::syscall(impossible[i].number, a, b, c, d, e) >= 0) return static_cast<int>(i);
  }
  return -1;
}

const char* name_of_call(int index) { return impossible[static_cast<std::size_t>(index)].name; }

Switched<SwitchOptions> with_confinement(SwitchOptions options) {
  if (!options.confine) return options;
  if (const std::string what = contradiction(options); !what.empty()) return excluded(what);
  for (bool SwitchOptions::*const each :
       {&SwitchOptions::user_namespace, &SwitchOptions::pid_namespace,
        &SwitchOptions::ipc_namespace, &SwitchOptions::uts_namespace,
        &SwitchOptions::net_namespace, &SwitchOptions::cgroup_namespace,
        &SwitchOptions::no_new_privileges, &SwitchOptions::new_session}) {
    options.*each = true;
  }
  struct stat proc {};
  if (::stat("/proc", &proc) != 0) return std::unexpected(refused_before("/proc", errno));
  const Kind users = look_at("uid_map", proc.st_uid);
  const Kind groups = look_at("gid_map", proc.st_gid);
  if (options.uid_map.empty()) options.uid_map = own_id(::geteuid(), users);
  if (options.gid_map.empty()) options.gid_map = own_id(::getegid(), groups);
  if (maps_root(options.uid_map, users) || maps_root(options.gid_map, groups)) {
    return excluded("a map of this machine's id 0");
  }
  options.seccomp_programs.insert(options.seccomp_programs.begin(), outer_calls_filter());
  options.dropped_capabilities = ~std::uint64_t{0};
  return options;
}

}  // namespace pivotcheck::rootswitch

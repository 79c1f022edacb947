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
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

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

}  // namespace

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

// SPDX-License-Identifier: Apache-2.0
// raw_syscalls.cc: one function for each operation, in the order of op/op.h, then the steps that
// have no verb.
#include "raw_syscalls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace pivotcheck::bench {
namespace {

unsigned long mount_bits(const MountFlags& flags) {
  return (flags.has(MountFlag::ro) ? +MS_RDONLY : 0U) |
         (flags.has(MountFlag::nosuid) ? +MS_NOSUID : 0U) |
         (flags.has(MountFlag::nodev) ? +MS_NODEV : 0U) |
         (flags.has(MountFlag::noexec) ? +MS_NOEXEC : 0U);
}

unsigned long propagation_bits(Propagation to) {
  switch (to) {
    case Propagation::shared_: return MS_SHARED;
    case Propagation::private_: return MS_PRIVATE;
    case Propagation::slave: return MS_SLAVE;
    case Propagation::unbindable: return MS_UNBINDABLE;
  }
  return 0;
}

const open_how in_root{.flags = O_PATH | O_CLOEXEC,
                       .mode = 0,
                       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
const int working_directory = AT_FDCWD;

template <class... Arguments>
long call(long number, Arguments... arguments) {
  return ::syscall(number, arguments...);
}

}  // namespace

struct RawSyscalls::Translator {
  RawSyscalls& self;

  int* fd(std::string_view name) {
    return &self.fds_.try_emplace(std::string(name), -1).first->second;
  }
  // "@h/sub" is "sub" below h, "@h" the descriptor itself.
  struct Place {
    const int* directory;
    const char* text;
    bool bare;
  };
  Place at(const Path& path) {
    if (path.handle.empty()) return {&working_directory, path.text.c_str(), false};
    const std::size_t begin = path.text.find_first_not_of('/');
    return {fd(path.handle), begin == std::string::npos ? "" : path.text.c_str() + begin,
            path.text.empty()};
  }

  // The kinds of call that several operations make.
  Call at_call(long number, const Path& path, long argument, int* result = nullptr) {
    return [=, p = at(path)] {
      const long answer = call(number, *p.directory, p.text, argument);
      if (result != nullptr) *result = static_cast<int>(answer);
      return answer;
    };
  }
  static Call mount(const char* from, const Path& to, const char* type, unsigned long flags) {
    return [=, p = to.text.c_str()] { return call(SYS_mount, from, p, type, flags, nullptr); };
  }
  static Call path_call(long number, const Path& path, long argument = 0) {
    return [=, p = path.text.c_str()] { return call(number, p, argument); };
  }
  Call fd_call(long number, std::string_view handle, long argument = 0) {
    return [=, handle = fd(handle)] { return call(number, *handle, argument); };
  }

  Call operator()(const Mkdir& op) { return at_call(SYS_mkdirat, op.path, 0755); }
  Call operator()(const Rmdir& op) { return at_call(SYS_unlinkat, op.path, AT_REMOVEDIR); }
  Call operator()(const Mount& op) { return mount("none", op.path, "tmpfs", mount_bits(op.flags)); }
  Call operator()(const Bind& op) {
    const unsigned long flags = op.recursive ? MS_BIND | MS_REC : MS_BIND;
    return mount(op.source.text.c_str(), op.target, nullptr, flags);
  }
  Call operator()(const Move& op) {
    return mount(op.source.text.c_str(), op.target, nullptr, MS_MOVE);
  }
  Call operator()(const ChangePropagation& op) {
    const unsigned long recursive = op.recursive ? MS_REC : 0;
    return mount("none", op.path, nullptr, propagation_bits(op.to) | recursive);
  }
  Call operator()(const Remount& op) {
    return mount("none", op.path, nullptr, MS_REMOUNT | MS_BIND | mount_bits(op.flags.flags));
  }
  Call operator()(const Umount& op) {
    return path_call(SYS_umount2, op.path, op.flags.has(UmountFlag::detach) ? MNT_DETACH : 0);
  }
  Call operator()(const PivotRoot& op) {
    return [to = op.new_root.text.c_str(), old = op.put_old.text.c_str()] {
      return call(SYS_pivot_root, to, old);
    };
  }
  Call operator()(const Chroot& op) { return path_call(SYS_chroot, op.path); }
  Call operator()(const Chdir& op) { return path_call(SYS_chdir, op.path); }
  Call operator()(const Open& op) {
    return at_call(SYS_openat, op.path, O_PATH | O_CLOEXEC, fd(op.handle.text));
  }
  Call operator()(const Fchdir& op) { return fd_call(SYS_fchdir, op.handle.text); }
  Call operator()(const Close& op) { return fd_call(SYS_close, op.handle.text); }
  Call operator()(const Unshare&) {  // of a user namespace: the caller's part
    return [] { return call(SYS_unshare, CLONE_NEWNS); };
  }
  Call operator()(const Setns& op) { return fd_call(SYS_setns, op.task.text, CLONE_NEWNS); }
  Call operator()(const OpenTree& op) {
    unsigned flags = OPEN_TREE_CLOEXEC | (at(op.path).bare ? AT_EMPTY_PATH : 0U);
    if (op.flags.has(OpenTreeFlag::clone)) flags |= OPEN_TREE_CLONE;
    if (op.flags.has(OpenTreeFlag::recursive)) flags |= AT_RECURSIVE;
    return at_call(SYS_open_tree, op.path, flags, fd(op.handle.text));
  }
  Call operator()(const MoveMount& op) {
    const Place from = at(op.source);
    const Place to = at(op.target);
    unsigned flags = MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_T_SYMLINKS;
    if (from.bare) flags |= MOVE_MOUNT_F_EMPTY_PATH;
    if (to.bare) flags |= MOVE_MOUNT_T_EMPTY_PATH;
    return [=] {
      return call(SYS_move_mount, *from.directory, from.text, *to.directory, to.text, flags);
    };
  }
  Call operator()(const MountSetattr& op) {
    const Place place = at(op.path);
    struct mount_attr change {};
    if (op.change.set.has(MountFlag::ro)) change.attr_set = MOUNT_ATTR_RDONLY;
    if (op.change.clear.has(MountFlag::ro)) change.attr_clr = MOUNT_ATTR_RDONLY;
    if (op.change.propagation) change.propagation = propagation_bits(*op.change.propagation);
    const unsigned flags =
        (op.recursive.on ? AT_RECURSIVE : 0U) | (place.bare ? AT_EMPTY_PATH : 0U);
    return [=] {
      return call(SYS_mount_setattr, *place.directory, place.text, flags, &change, sizeof(change));
    };
  }
  Call operator()(const strategy::MakePrivateDirectory& step) {
    return at_call(SYS_mkdirat, step.path, 0700);
  }
  Call operator()(const strategy::OpenInRoot& step) {
    return [root = fd(step.root.text), path = step.path.c_str(), to = fd(step.handle.text)] {
      return *to = static_cast<int>(call(SYS_openat2, *root, path, &in_root, sizeof(in_root)));
    };
  }
  Call operator()(const strategy::NewProc& step) {
    return [to = fd(step.handle.text)] {
      const long context = call(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
      if (context < 0) return context;
      const long made = call(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
      if (made < 0) return made;
      const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
      *to = static_cast<int>(call(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
      return *to < 0 ? -1 : call(SYS_close, context);
    };
  }
  Call operator()(const strategy::AttachProc& step) {
    return [proc = fd(step.proc.text), target = fd(step.target.text)] {
      const long moved = call(SYS_move_mount, *proc, "", *target, "",
                              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
      return moved < 0 ? moved : call(SYS_close, *proc);
    };
  }
  // About processes: the caller's part.
  static long nothing() { return 0; }
  Call operator()(const strategy::NewPidNamespace&) { return nothing; }
  Call operator()(const strategy::MapIds&) { return nothing; }
  Call operator()(const strategy::KeepNamespace&) { return nothing; }
  Call operator()(const strategy::DropPrivileges&) { return nothing; }
  Call operator()(const strategy::Execute&) { return nothing; }
  Call operator()(const Op& op) { return std::visit(*this, op); }
  // An operation that no strategy has: of() names it and fails.
  Call operator()(const auto&) { return nullptr; }
};

Expected<RawSyscalls> RawSyscalls::of(const strategy::Steps& steps) {
  RawSyscalls self;
  for (const strategy::SwitchStep& step : steps) {
    self.calls_.push_back(std::visit(Translator{self}, step.action));
    if (!self.calls_.back()) return fail(describe(step) + ": it has no raw system call");
  }
  return self;
}

void RawSyscalls::bind_namespace(std::string_view task, int fd) {
  if (const auto found = fds_.find(task); found != fds_.end()) found->second = fd;
}

int RawSyscalls::perform(std::size_t step) const { return calls_[step]() < 0 ? errno : 0; }

}  // namespace pivotcheck::bench

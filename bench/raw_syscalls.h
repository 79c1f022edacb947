// SPDX-License-Identifier: Apache-2.0
// raw_syscalls.h: the steps of a strategy as system calls whose arguments are ready: what the same
// sequence costs at the least. Nothing is looked up, chosen or checked while it runs.
//
// `switch_bench --check` compares the worlds that these calls and the library lead to.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "switch/step_executor.h"
#include "switch/strategy/step.h"
#include "syscalls/op_flags.h"

namespace pivotcheck::bench {

// The namespace that clone makes in place of this step, as the library has it (launch.cc): a
// CLONE_NEW flag, or 0.
inline unsigned long made_by_clone(const strategy::SwitchStep& step) {
  if (std::holds_alternative<strategy::NewPidNamespace>(step.action)) return CLONE_NEWPID;
  const auto* op = std::get_if<Op>(&step.action);
  const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
  const bool user = unshare != nullptr && unshare->kinds.has(NamespaceKind::user);
  return user ? CLONE_NEWUSER : 0;
}

class RawSyscalls {
 public:
  // Refers to `steps`, which must stay where they are. A failure names a step without translation.
  static Expected<RawSyscalls> of(const strategy::Steps& steps) {
    RawSyscalls self;
    for (const strategy::SwitchStep& step : steps) {
      self.calls_.push_back(std::visit(Translator{self}, step.action));
      if (!self.calls_.back()) return fail(describe(step) + ": it has no raw system call");
    }
    return self;
  }

  // A namespace that `setns` finds under this task's name.
  void bind_namespace(std::string_view task, int fd) {
    if (const auto found = fds_.find(task); found != fds_.end()) found->second = fd;
  }

  // 0, or the errno of the first call that was refused. Steps that are about processes make no
  // call: the caller does those.
  int perform(std::size_t step) const { return calls_[step]() < 0 ? errno : 0; }

 private:
  using Call = std::function<long()>;  // as syscall(2): -1 and errno for a refusal

  // An argument as the call gets it: a descriptor is what lies at its address by then.
  static long value(int* descriptor) { return *descriptor; }
  static auto value(auto argument) { return argument; }

  template <class... Arguments>
  static Call call(long number, Arguments... arguments) {
    return [=] { return ::syscall(number, value(arguments)...); };
  }
  static Call mount(const char* source, const Path& target, const char* type,
                    unsigned long flags) {
    return call(SYS_mount, source, target.text.c_str(), type, flags, nullptr);
  }
  static Call store(Call make, int* descriptor) {
    return [=] { return *descriptor = static_cast<int>(make()); };
  }

  // One function for each operation, in the order of op/op.h, then the steps that have no verb.
  struct Translator {
    RawSyscalls& self;

    int* fd(std::string_view name) {
      return &self.fds_.try_emplace(std::string(name), -1).first->second;
    }
    // Where a path begins.
    int* start(const Path& path) {
      static int working_directory = AT_FDCWD;
      return path.handle.empty() ? &working_directory : fd(path.handle);
    }
    // A call with a path that may begin at a descriptor.
    Call at_call(long number, const Path& path, long argument) {
      return call(number, start(path), kernel::text_for_at(path), argument);
    }

    Call operator()(const Mkdir& op) { return at_call(SYS_mkdirat, op.path, 0755); }
    Call operator()(const Rmdir& op) { return at_call(SYS_unlinkat, op.path, AT_REMOVEDIR); }
    Call operator()(const Mount& op) {
      return mount("none", op.path, kernel::type_name(op.type), kernel::flags_of(op));
    }
    template <OneOf<Bind, Move> T>
    Call operator()(const T& op) {
      return mount(op.source.text.c_str(), op.target, nullptr, kernel::flags_of(op));
    }
    template <OneOf<ChangePropagation, Remount> T>
    Call operator()(const T& op) {
      return mount("none", op.path, nullptr, kernel::flags_of(op));
    }
    Call operator()(const Umount& op) {
      return call(SYS_umount2, op.path.text.c_str(), kernel::flags_of(op));
    }
    Call operator()(const PivotRoot& op) {
      return call(SYS_pivot_root, op.new_root.text.c_str(), op.put_old.text.c_str());
    }
    Call operator()(const Chroot& op) { return call(SYS_chroot, op.path.text.c_str()); }
    Call operator()(const Chdir& op) { return call(SYS_chdir, op.path.text.c_str()); }
    Call operator()(const Open& op) {
      return store(at_call(SYS_openat, op.path, O_PATH | O_CLOEXEC), fd(op.handle.text));
    }
    Call operator()(const Fchdir& op) { return call(SYS_fchdir, fd(op.handle.text)); }
    Call operator()(const Close& op) { return call(SYS_close, fd(op.handle.text)); }
    Call operator()(const Unshare& op) { return call(SYS_unshare, kernel::flags_of(op)); }
    Call operator()(const Setns& op) {
      return call(SYS_setns, fd(op.task.text), kernel::flags_of(op));
    }
    Call operator()(const OpenTree& op) {
      return store(at_call(SYS_open_tree, op.path, kernel::flags_of(op)), fd(op.handle.text));
    }
    Call operator()(const MoveMount& op) {
      return call(SYS_move_mount, start(op.source), kernel::text_for_at(op.source),
                  start(op.target), kernel::text_for_at(op.target), kernel::flags_of(op));
    }
    Call operator()(const MountSetattr& op) {
      return [from = start(op.path), path = kernel::text_for_at(op.path),
              flags = kernel::flags_of(op), change = kernel::attributes_of(op.change)] {
        return kernel::mount_api::mount_setattr(*from, path, flags, change);
      };
    }
    Call operator()(const strategy::MakePrivateDirectory& step) {
      return at_call(SYS_mkdirat, step.path, 0700);
    }
    Call operator()(const strategy::OpenInRoot& step) {
      static const open_how how{.flags = O_PATH | O_CLOEXEC,
                                .mode = 0,
                                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
      return store(call(SYS_openat2, fd(step.root.text), step.path.c_str(), &how, sizeof(how)),
                   fd(step.handle.text));
    }
    Call operator()(const strategy::NewProc& step) {
      constexpr unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
      return store([] { return kernel::mount_api::new_mount("proc", attributes); },
                   fd(step.handle.text));
    }
    Call operator()(const strategy::AttachProc& step) {
      return [proc = fd(step.proc.text), target = fd(step.target.text)] {
        const long moved = ::syscall(SYS_move_mount, *proc, "", *target, "",
                                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        return moved < 0 ? moved : ::syscall(SYS_close, *proc);
      };
    }
    Call operator()(const Op& op) { return std::visit(*this, op); }
    template <class Step>
    Call operator()(const Step&) {
      if constexpr (rootswitch::AboutProcesses<Step>) return [] { return 0L; };
      else return nullptr;  // no strategy has it: of() names it and fails
    }
  };

  std::vector<Call> calls_;  // one for each step
  std::map<std::string, int, std::less<>> fds_;  // calls keep pointers to the values
};

}  // namespace pivotcheck::bench

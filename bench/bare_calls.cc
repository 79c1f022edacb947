// SPDX-License-Identifier: Apache-2.0
// bare_calls.cc: see bare_calls.h. The operations stand in the order of op/op.h.
#include "bare_calls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "syscalls/syscalls.h"

namespace pivotcheck::bench {
namespace {

namespace api = kernel::mount_api;

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

}  // namespace

// One function for each action; `calls` is the step that is being translated.
struct BareCalls::Translator {
  BareCalls& self;
  std::vector<Call> calls;
  std::string trouble;

  int slot(std::string_view name) {
    const auto found = std::ranges::find(self.slot_names_, name);
    if (found != self.slot_names_.end()) return static_cast<int>(found - self.slot_names_.begin());
    self.slot_names_.emplace_back(name);
    self.slots_.push_back(-1);
    return static_cast<int>(self.slots_.size()) - 1;
  }
  Argument fd(std::string_view name) { return {.value = 0, .slot = slot(name)}; }
  static Argument number(unsigned long value) { return {.value = static_cast<long>(value)}; }
  static Argument pointer(const void* to) { return {.value = reinterpret_cast<long>(to)}; }
  static Argument text(const std::string& path) { return pointer(path.c_str()); }
  Argument directory(const Path& path) {
    return path.handle.empty() ? Argument{.value = AT_FDCWD} : fd(path.handle);
  }
  // "@h/sub" is "sub" to a call with a descriptor.
  static Argument rest(const Path& path) {
    if (path.handle.empty()) return text(path.text);
    const std::size_t begin = path.text.find_first_not_of('/');
    return pointer(begin == std::string::npos ? "" : path.text.c_str() + begin);
  }
  static bool bare(const Path& path) { return !path.handle.empty() && path.text.empty(); }
  void add(long call, std::array<Argument, 5> arguments, int result = -1) {
    calls.push_back({call, arguments, result});
  }
  void mount(const char* source, const std::string& target, const char* type, unsigned long flags) {
    add(SYS_mount, {pointer(source), text(target), pointer(type), number(flags), number(0)});
  }

  void operator()(const Mkdir& op) {
    add(SYS_mkdirat, {directory(op.path), rest(op.path), number(0755)});
  }
  void operator()(const Rmdir& op) {
    add(SYS_unlinkat, {directory(op.path), rest(op.path), number(AT_REMOVEDIR)});
  }
  void operator()(const Symlink& op) {
    add(SYS_symlinkat, {text(op.target.text), directory(op.path), rest(op.path)});
  }
  void operator()(const Mount& op) { mount("none", op.path.text, "tmpfs", mount_bits(op.flags)); }
  void operator()(const Bind& op) {
    mount(op.source.text.c_str(), op.target.text, nullptr, MS_BIND | (op.recursive ? +MS_REC : 0U));
  }
  void operator()(const Move& op) {
    mount(op.source.text.c_str(), op.target.text, nullptr, MS_MOVE);
  }
  void operator()(const ChangePropagation& op) {
    mount("none", op.path.text, nullptr, propagation_bits(op.to) | (op.recursive ? +MS_REC : 0U));
  }
  void operator()(const Remount& op) {
    mount("none", op.path.text, nullptr, MS_REMOUNT | MS_BIND | mount_bits(op.flags.flags));
  }
  void operator()(const Umount& op) {
    add(SYS_umount2, {text(op.path.text),
                      number(op.flags.has(UmountFlag::detach) ? +MNT_DETACH : 0U)});
  }
  void operator()(const PivotRoot& op) {
    add(SYS_pivot_root, {text(op.new_root.text), text(op.put_old.text)});
  }
  void operator()(const Chroot& op) { add(SYS_chroot, {text(op.path.text)}); }
  void operator()(const Chdir& op) { add(SYS_chdir, {text(op.path.text)}); }
  void operator()(const Open& op) {
    add(SYS_openat, {directory(op.path), rest(op.path), number(O_PATH | O_CLOEXEC)},
        slot(op.handle.text));
  }
  void operator()(const Fchdir& op) { add(SYS_fchdir, {fd(op.handle.text)}); }
  void operator()(const Close& op) { add(SYS_close, {fd(op.handle.text)}); }
  void operator()(const Unshare& op) {
    const bool user = op.kinds.has(NamespaceKind::user);
    add(SYS_unshare, {number(user ? CLONE_NEWUSER : CLONE_NEWNS)});
  }
  void operator()(const Setns& op) { add(SYS_setns, {fd(op.task.text), number(CLONE_NEWNS)}); }
  void operator()(const OpenTree& op) {
    unsigned flags = OPEN_TREE_CLOEXEC;
    if (op.flags.has(OpenTreeFlag::clone)) flags |= OPEN_TREE_CLONE;
    if (op.flags.has(OpenTreeFlag::recursive)) flags |= AT_RECURSIVE;
    if (bare(op.path)) flags |= AT_EMPTY_PATH;
    add(SYS_open_tree, {directory(op.path), rest(op.path), number(flags)}, slot(op.handle.text));
  }
  void operator()(const MoveMount& op) {
    unsigned flags = MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_T_SYMLINKS;
    if (bare(op.source)) flags |= MOVE_MOUNT_F_EMPTY_PATH;
    if (bare(op.target)) flags |= MOVE_MOUNT_T_EMPTY_PATH;
    add(SYS_move_mount, {directory(op.source), rest(op.source), directory(op.target),
                         rest(op.target), number(flags)});
  }
  void operator()(const MountSetattr& op) {
    api::mount_attr& change = self.attributes_.emplace_back();
    if (op.change.set.has(MountFlag::ro)) change.attr_set = MOUNT_ATTR_RDONLY;
    if (op.change.clear.has(MountFlag::ro)) change.attr_clr = MOUNT_ATTR_RDONLY;
    if (op.change.propagation) change.propagation = propagation_bits(*op.change.propagation);
    unsigned flags = op.recursive.on ? AT_RECURSIVE : 0;
    if (bare(op.path)) flags |= AT_EMPTY_PATH;
    add(SYS_mount_setattr, {directory(op.path), rest(op.path), number(flags), pointer(&change),
                            number(sizeof(change))});
  }
  void operator()(const strategy::MakePrivateDirectory& step) {
    add(SYS_mkdirat, {directory(step.path), rest(step.path), number(0700)});
  }
  void operator()(const strategy::OpenInRoot& step) {
    add(SYS_openat2, {fd(step.root.text), text(step.path), pointer(&in_root),
                      number(sizeof(in_root))},
        slot(step.handle.text));
  }
  void operator()(const strategy::NewProc& step) {
    const int context = slot("context of " + step.handle.text);
    const Argument made{.value = 0, .slot = context};
    constexpr auto attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    add(SYS_fsopen, {pointer("proc"), number(FSOPEN_CLOEXEC)}, context);
    add(SYS_fsconfig, {made, number(FSCONFIG_CMD_CREATE)});
    add(SYS_fsmount, {made, number(FSMOUNT_CLOEXEC), number(attributes)}, slot(step.handle.text));
    add(SYS_close, {made});
  }
  void operator()(const strategy::AttachProc& step) {
    const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    add(SYS_move_mount, {fd(step.proc.text), pointer(""), fd(step.target.text), pointer(""),
                         number(flags)});
    add(SYS_close, {fd(step.proc.text)});
  }
  // What the one who carries the steps does himself (cycle.cc).
  void operator()(const strategy::NewPidNamespace&) {}
  void operator()(const strategy::MapIds&) {}
  void operator()(const strategy::KeepNamespace&) {}
  void operator()(const strategy::DropPrivileges&) {}
  void operator()(const strategy::Execute&) {}
  void operator()(const Op& op) { std::visit(*this, op); }
  void operator()(const auto&) { trouble = "it has no bare call"; }
};

Expected<BareCalls> BareCalls::of(const strategy::Steps& steps) {
  BareCalls self;
  for (const strategy::SwitchStep& step : steps) {
    Translator translator{self, {}, {}};
    std::visit([&](const auto& action) { translator(action); }, step.action);
    if (!translator.trouble.empty()) return fail(describe(step) + ": " + translator.trouble);
    self.steps_.push_back(std::move(translator.calls));
  }
  return self;
}

void BareCalls::bind_namespace(std::string_view task, int fd) {
  const auto found = std::ranges::find(slot_names_, task);
  if (found != slot_names_.end()) {
    slots_[static_cast<std::size_t>(found - slot_names_.begin())] = fd;
  }
}

int BareCalls::perform(std::size_t step) {
  for (const Call& call : steps_[step]) {
    std::array<long, 5> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Argument& argument = call.arguments[i];
      values[i] = argument.slot < 0 ? argument.value
                                    : slots_[static_cast<std::size_t>(argument.slot)];
    }
    const long result =
        ::syscall(call.number, values[0], values[1], values[2], values[3], values[4], 0L);
    if (result < 0) return errno;
    if (call.result >= 0) slots_[static_cast<std::size_t>(call.result)] = static_cast<int>(result);
  }
  return 0;
}

}  // namespace pivotcheck::bench

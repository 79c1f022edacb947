// SPDX-License-Identifier: Apache-2.0
// step_executor.cc: see step_executor.h. One function for each operation, in the order of op/op.h; then the
// steps that have no verb.
#include "switch/step_executor.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "syscalls/mount_api.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

namespace api = kernel::mount_api;
using strategy::AttachProc;
using strategy::MakePrivateDirectory;
using strategy::NewProc;
using strategy::OpenInRoot;
using strategy::UnshareOthers;

int answer(long result) { return result < 0 ? errno : 0; }

// The calls alone, here and below: each wrapper of the C library lies in another page of it, and
// each page that a child runs is one more to be mapped for it.
long sys_mount(const char* source, const Path& target, const char* type, unsigned long flags) {
  return ::syscall(SYS_mount, source, target.text.c_str(), type, flags, nullptr);
}

// --- flags as the kernel has them ----------------------------------------------------------------

unsigned long mount_bits(MountFlags flags) {
  unsigned long bits = 0;
  if (flags.has(MountFlag::ro)) bits |= MS_RDONLY;
  if (flags.has(MountFlag::nosuid)) bits |= MS_NOSUID;
  if (flags.has(MountFlag::nodev)) bits |= MS_NODEV;
  if (flags.has(MountFlag::noexec)) bits |= MS_NOEXEC;
  if (flags.has(MountFlag::noatime)) bits |= MS_NOATIME;
  return bits;
}

std::uint64_t attribute_bits(MountFlags flags) {
  std::uint64_t bits = 0;
  if (flags.has(MountFlag::ro)) bits |= api::attribute_read_only;
  if (flags.has(MountFlag::nosuid)) bits |= api::attribute_nosuid;
  if (flags.has(MountFlag::nodev)) bits |= api::attribute_nodev;
  if (flags.has(MountFlag::noexec)) bits |= api::attribute_noexec;
  if (flags.has(MountFlag::noatime)) bits |= api::attribute_noatime;
  return bits;
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

int umount_bits(UmountFlags flags) {
  return (flags.has(UmountFlag::detach) ? MNT_DETACH : 0) |
         (flags.has(UmountFlag::expire) ? MNT_EXPIRE : 0) |
         (flags.has(UmountFlag::nofollow) ? UMOUNT_NOFOLLOW : 0);
}

// A path as a call with a descriptor takes it: "@h/sub" is h's and "sub", "@h" is h's and "".
struct At {
  int directory;
  const char* text;
};

At at(const StepExecutor& self, const Path& path) {
  if (path.handle.empty()) return {AT_FDCWD, path.text.c_str()};
  const std::size_t name = path.text.find_first_not_of('/');
  const bool bare = name == std::string::npos;
  return {self.find(path.handle), bare ? "" : path.text.c_str() + name};
}

bool is_bare_handle(const Path& path) { return !path.handle.empty() && path.text.empty(); }

// --- operations ----------------------------------------------------------------------------------

int perform(StepExecutor& self, const Mkdir& op) {
  const At place = at(self, op.path);
  return answer(::syscall(SYS_mkdirat, place.directory, place.text, 0755));
}

int perform(StepExecutor& self, const Rmdir& op) {
  const At place = at(self, op.path);
  return answer(::syscall(SYS_unlinkat, place.directory, place.text, AT_REMOVEDIR));
}

int perform(StepExecutor& self, const Touch& op) {
  const At place = at(self, op.path);
  const UniqueFd file(
      ::openat(place.directory, place.text, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  return answer(file.get());
}

int perform(StepExecutor& self, const Symlink& op) {
  const At place = at(self, op.path);
  return answer(::symlinkat(op.target.text.c_str(), place.directory, place.text));
}

int perform(StepExecutor& self, const Chmod& op) {
  const At place = at(self, op.path);
  return answer(::fchmodat(place.directory, place.text, op.mode.bits, 0));
}

int perform(StepExecutor&, const Mount& op) {
  const char* type = op.type == FilesystemType::tmpfs ? "tmpfs" : "ramfs";
  return answer(sys_mount("none", op.path, type, mount_bits(op.flags)));
}

int perform(StepExecutor&, const Bind& op) {
  const unsigned long flags = op.recursive ? MS_BIND | MS_REC : MS_BIND;
  return answer(sys_mount(op.source.text.c_str(), op.target, nullptr, flags));
}

int perform(StepExecutor&, const Move& op) {
  return answer(sys_mount(op.source.text.c_str(), op.target, nullptr, MS_MOVE));
}

int perform(StepExecutor&, const ChangePropagation& op) {
  const unsigned long flags = propagation_bits(op.to) | (op.recursive ? +MS_REC : 0U);
  return answer(sys_mount("none", op.path, nullptr, flags));
}

int perform(StepExecutor&, const Remount& op) {
  const unsigned long flags = MS_REMOUNT | MS_BIND | mount_bits(op.flags.flags);
  return answer(sys_mount("none", op.path, nullptr, flags));
}

int perform(StepExecutor&, const Umount& op) {
  return answer(::syscall(SYS_umount2, op.path.text.c_str(), umount_bits(op.flags)));
}

int perform(StepExecutor&, const PivotRoot& op) {
  return answer(kernel::sys_pivot_root(op.new_root.text.c_str(), op.put_old.text.c_str()));
}

int perform(StepExecutor&, const Chroot& op) {
  return answer(::syscall(SYS_chroot, op.path.text.c_str()));
}

int perform(StepExecutor&, const Chdir& op) {
  return answer(::syscall(SYS_chdir, op.path.text.c_str()));
}

int perform(StepExecutor& self, const Open& op) {
  const At place = at(self, op.path);
  return self.keep(op.handle.text,
                   static_cast<int>(::syscall(SYS_openat, place.directory, place.text,
                                              O_PATH | O_CLOEXEC)));
}

int perform(StepExecutor& self, const Fchdir& op) {
  return answer(::syscall(SYS_fchdir, self.find(op.handle.text)));
}

int perform(StepExecutor& self, const Close& op) { return self.close(op.handle.text); }

int perform(StepExecutor&, const Unshare& op) {
  const int kinds = (op.kinds.has(NamespaceKind::mnt) ? CLONE_NEWNS : 0) |
                    (op.kinds.has(NamespaceKind::user) ? CLONE_NEWUSER : 0);
  return answer(::syscall(SYS_unshare, kinds));
}

int perform(StepExecutor& self, const Setns& op) {
  return answer(::syscall(SYS_setns, self.find_lent(op.task.text), CLONE_NEWNS));
}

int perform(StepExecutor& self, const OpenTree& op) {
  const At source = at(self, op.path);
  unsigned flags = api::open_tree_close_on_exec;
  if (op.flags.has(OpenTreeFlag::clone)) flags |= api::open_tree_clone;
  if (op.flags.has(OpenTreeFlag::recursive)) flags |= api::at_recursive;
  if (is_bare_handle(op.path)) flags |= api::at_empty_path;
  return self.keep(op.handle.text, api::open_tree(source.directory, source.text, flags));
}

int perform(StepExecutor& self, const MoveMount& op) {
  const At source = at(self, op.source);
  const At target = at(self, op.target);
  unsigned flags = api::move_mount_source_symlinks | api::move_mount_target_symlinks;
  if (is_bare_handle(op.source)) flags |= api::move_mount_source_empty_path;
  if (is_bare_handle(op.target)) flags |= api::move_mount_target_empty_path;
  return answer(
      api::move_mount(source.directory, source.text, target.directory, target.text, flags));
}

int perform(StepExecutor& self, const MountSetattr& op) {
  const At place = at(self, op.path);
  api::Attributes attributes;
  attributes.set = attribute_bits(op.change.set);
  attributes.clear = attribute_bits(op.change.clear);
  if (op.change.propagation) attributes.propagation = propagation_bits(*op.change.propagation);
  unsigned flags = op.recursive.on ? api::at_recursive : 0;
  if (is_bare_handle(op.path)) flags |= api::at_empty_path;
  return answer(api::mount_setattr(place.directory, place.text, flags, attributes));
}

// A new filesystem as a detached mount; -1 and errno if it is refused.
int new_mount(const char* type, std::uint64_t attributes) {
  const UniqueFd context(api::fsopen(type, api::fsopen_close_on_exec));
  if (!context || api::fsconfig(context.get(), api::fsconfig_create, nullptr) != 0) return -1;
  return api::fsmount(context.get(), api::fsmount_close_on_exec,
                      static_cast<unsigned>(attributes));
}

int perform(StepExecutor& self, const Fsmount& op) {
  const char* type = op.type == FilesystemType::tmpfs ? "tmpfs" : "ramfs";
  return self.keep(op.handle.text, new_mount(type, attribute_bits(op.flags)));
}

// --- steps that have no verb ---------------------------------------------------------------------

int perform(StepExecutor&, const UnshareOthers& step) {
  return answer(::syscall(SYS_unshare, step.kinds));
}

int perform(StepExecutor& self, const MakePrivateDirectory& step) {
  const At place = at(self, step.path);
  return answer(::syscall(SYS_mkdirat, place.directory, place.text, 0700));
}

bool same_directory(int one, int other) {
  struct statx a {};
  struct statx b {};
  return ::statx(one, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) == 0 &&
         ::statx(other, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &b) == 0 &&
         a.stx_ino == b.stx_ino && a.stx_mnt_id == b.stx_mnt_id;
}

int perform(StepExecutor& self, const OpenInRoot& step) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const int root = self.find(step.root.text);
  const int found = kernel::sys_openat2(root, step.path.c_str(), how);
  if (found >= 0 && same_directory(root, found)) {  // by '..', or a link to '/'
    ::close(found);
    return EXDEV;
  }
  return self.keep(step.handle.text, found);
}

int perform(StepExecutor& self, const NewProc& step) {
  const auto attributes = api::attribute_nosuid | api::attribute_nodev | api::attribute_noexec;
  return self.keep(step.handle.text, new_mount("proc", attributes));
}

int perform(StepExecutor& self, const AttachProc& step) {
  const unsigned flags = api::move_mount_source_empty_path | api::move_mount_target_empty_path;
  const int proc = self.find(step.proc.text);
  const int error =
      answer(api::move_mount(proc, "", self.find(step.target.text), "", flags));
  self.close(step.proc.text);
  return error;
}

// The rest of the vocabulary is for tests of kernels: no strategy has a use for it, and one that
// comes to have it is told so at its first step.
template <class Other>
int perform(StepExecutor&, const Other&) {
  return ENOTSUP;
}

}  // namespace

int StepExecutor::perform(const strategy::Step& step) {
  const auto one = [this](const auto& op) { return rootswitch::perform(*this, op); };
  return std::visit(Overloaded{
                        [&](const Op& op) { return std::visit(one, op); },
                        [&](const auto& other) { return one(other); },
                    },
                    step.action);
}

StepExecutor::StepExecutor(const strategy::Steps& steps) { slots_.reserve(steps.size()); }

namespace {

// Without memcmp, for the same reason.
struct SameName {
  std::string_view name;
  bool operator()(std::string_view other) const {
    bool same = name.size() == other.size();
    for (std::size_t i = 0; same && i < name.size(); ++i) same = name[i] == other[i];
    return same;
  }
};

}  // namespace

int StepExecutor::find(std::string_view name) const {
  const auto slot = std::ranges::find_if(slots_, SameName{name}, &Slot::name);
  return slot == slots_.end() ? -1 : slot->fd.get();
}

int StepExecutor::find_lent(std::string_view task) const {
  const auto lent = std::ranges::find(lent_, task, &Lent::task);
  return lent == lent_.end() ? -1 : lent->fd;
}

int StepExecutor::keep(std::string_view name, int fd) {
  if (fd < 0) return errno;
  const auto slot = std::ranges::find_if(slots_, SameName{name}, &Slot::name);
  if (slot != slots_.end()) {
    slot->fd.reset(fd);
    return 0;
  }
  PIVOTCHECK_CHECK(slots_.size() < slots_.capacity());  // each step opens one at most
  slots_.push_back({name, UniqueFd(fd)});
  return 0;
}

int StepExecutor::close(std::string_view name) {
  const auto slot = std::ranges::find_if(slots_, SameName{name}, &Slot::name);
  if (slot == slots_.end()) return EBADF;
  slots_.erase(slot);
  return 0;
}

std::array<int, 2> StepExecutor::starts(const strategy::Step& step) const {
  std::array<int, 2> starts{-1, -1};
  if (const auto* open = std::get_if<OpenInRoot>(&step.action)) starts[0] = find(open->root.text);
  const auto* op = std::get_if<Op>(&step.action);
  if (op == nullptr) return starts;
  std::size_t count = 0;
  const auto note = Overloaded{
      [&](const Path& path) { starts[count++] = path.handle.empty() ? -1 : find(path.handle); },
      [](const auto&) {}};
  std::visit([&]<class T>(const T& one) { T::fields(one, note); }, *op);
  return starts;
}

void StepExecutor::forget() {
  for (Slot& slot : slots_) slot.fd.release();
  slots_.clear();
}

void StepExecutor::lend(std::string_view task, int fd) {
  auto lent = std::ranges::find(lent_, task, &Lent::task);
  if (lent == lent_.end()) lent = std::ranges::find(lent_, std::string_view{}, &Lent::task);
  PIVOTCHECK_CHECK(lent != lent_.end());
  *lent = {task, fd};
}

bool needs_launcher(const strategy::Step& step) {
  const auto* op = std::get_if<Op>(&step.action);
  if (op == nullptr) {
    return std::holds_alternative<strategy::NewPidNamespace>(step.action) ||
           std::holds_alternative<strategy::MapIds>(step.action) ||
           std::holds_alternative<strategy::KeepNamespace>(step.action) ||
           std::holds_alternative<strategy::Confine>(step.action) ||
           std::holds_alternative<strategy::Execute>(step.action);
  }
  const auto* unshare = std::get_if<Unshare>(op);
  const auto* setns = std::get_if<Setns>(op);
  return (unshare != nullptr && unshare->kinds.has(NamespaceKind::user)) ||
         (setns != nullptr && setns->kinds.has(NamespaceKind::user));
}

}  // namespace pivotcheck::rootswitch

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
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

namespace api = kernel::mount_api;
using kernel::attributes_of;
using kernel::flags_of;
using kernel::type_name;
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

// A path as a call with a descriptor takes it.
struct At {
  int directory;
  const char* text;
};

At at(const StepExecutor& self, const Path& path) {
  return {path.handle.empty() ? AT_FDCWD : self.find(path.handle), kernel::text_for_at(path)};
}

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
  return answer(sys_mount("none", op.path, type_name(op.type), flags_of(op)));
}

int perform(StepExecutor&, const Bind& op) {
  return answer(sys_mount(op.source.text.c_str(), op.target, nullptr, flags_of(op)));
}

int perform(StepExecutor&, const Move& op) {
  return answer(sys_mount(op.source.text.c_str(), op.target, nullptr, flags_of(op)));
}

int perform(StepExecutor&, const ChangePropagation& op) {
  return answer(sys_mount("none", op.path, nullptr, flags_of(op)));
}

int perform(StepExecutor&, const Remount& op) {
  return answer(sys_mount("none", op.path, nullptr, flags_of(op)));
}

int perform(StepExecutor&, const Umount& op) {
  return answer(::syscall(SYS_umount2, op.path.text.c_str(), flags_of(op)));
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
  return answer(::syscall(SYS_unshare, flags_of(op)));
}

int perform(StepExecutor& self, const Setns& op) {
  return answer(::syscall(SYS_setns, self.find_namespace(op.task.text), flags_of(op)));
}

int perform(StepExecutor& self, const OpenTree& op) {
  const At source = at(self, op.path);
  return self.keep(op.handle.text, api::open_tree(source.directory, source.text, flags_of(op)));
}

int perform(StepExecutor& self, const MoveMount& op) {
  const At source = at(self, op.source);
  const At target = at(self, op.target);
  return answer(api::move_mount(source.directory, source.text, target.directory, target.text,
                                flags_of(op)));
}

int perform(StepExecutor& self, const MountSetattr& op) {
  const At place = at(self, op.path);
  return answer(api::mount_setattr(place.directory, place.text, flags_of(op),
                                   attributes_of(op.change)));
}

int perform(StepExecutor& self, const Fsmount& op) {
  return self.keep(op.handle.text,
                   api::new_mount(type_name(op.type), kernel::attribute_flags(op.flags)));
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
  constexpr unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return self.keep(step.handle.text, api::new_mount("proc", attributes));
}

int perform(StepExecutor& self, const AttachProc& step) {
  constexpr unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
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

int StepExecutor::perform(const strategy::SwitchStep& step) {
  const auto one = [this](const auto& op) { return rootswitch::perform(*this, op); };
  return std::visit(Overloaded{
                        [&](const Op& op) { return std::visit(one, op); },
                        [&](const auto& other) { return one(other); },
                    },
                    step.action);
}

StepExecutor::StepExecutor(const strategy::Steps& steps) { handles_.reserve(steps.size()); }

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
  const auto slot = std::ranges::find_if(handles_, SameName{name}, &Handle::name);
  return slot == handles_.end() ? -1 : slot->fd.get();
}

int StepExecutor::find_namespace(std::string_view task) const {
  const auto lent = std::ranges::find(namespaces_, task, &BoundNamespace::task);
  return lent == namespaces_.end() ? -1 : lent->fd;
}

int StepExecutor::keep(std::string_view name, int fd) {
  if (fd < 0) return errno;
  const auto slot = std::ranges::find_if(handles_, SameName{name}, &Handle::name);
  if (slot != handles_.end()) {
    slot->fd.reset(fd);
    return 0;
  }
  PIVOTCHECK_CHECK(handles_.size() < handles_.capacity());  // each step opens one at most
  handles_.push_back({name, UniqueFd(fd)});
  return 0;
}

int StepExecutor::close(std::string_view name) {
  const auto slot = std::ranges::find_if(handles_, SameName{name}, &Handle::name);
  if (slot == handles_.end()) return EBADF;
  handles_.erase(slot);
  return 0;
}

std::array<int, 2> StepExecutor::starts(const strategy::SwitchStep& step) const {
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
  for (Handle& slot : handles_) slot.fd.release();
  handles_.clear();
}

void StepExecutor::bind_namespace(std::string_view task, int fd) {
  auto lent = std::ranges::find(namespaces_, task, &BoundNamespace::task);
  if (lent == namespaces_.end()) lent = std::ranges::find(namespaces_, std::string_view{}, &BoundNamespace::task);
  PIVOTCHECK_CHECK(lent != namespaces_.end());
  *lent = {task, fd};
}

bool needs_launcher(const strategy::SwitchStep& step) {
  const auto* op = std::get_if<Op>(&step.action);
  if (op == nullptr) {
    return std::holds_alternative<strategy::NewPidNamespace>(step.action) ||
           std::holds_alternative<strategy::MapIds>(step.action) ||
           std::holds_alternative<strategy::KeepNamespace>(step.action) ||
           std::holds_alternative<strategy::DropPrivileges>(step.action) ||
           std::holds_alternative<strategy::Execute>(step.action);
  }
  const auto* unshare = std::get_if<Unshare>(op);
  const auto* setns = std::get_if<Setns>(op);
  return (unshare != nullptr && unshare->kinds.has(NamespaceKind::user)) ||
         (setns != nullptr && setns->kinds.has(NamespaceKind::user));
}

}  // namespace pivotcheck::rootswitch

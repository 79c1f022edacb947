// SPDX-License-Identifier: Apache-2.0
// step_executor.cc: see step_executor.h. One function for each operation, in the order of op/op.h;
// then the steps that have no verb. There is no default: a new operation must be given its function
// here.
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
#include "syscalls/capabilities.h"
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

// Bare calls, here and below: each wrapper of the C library lies in another page, and each page
// that a child runs must be mapped for it.
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

int perform(StepExecutor& self, const Unlink& op) {
  const At place = at(self, op.path);
  return answer(::syscall(SYS_unlinkat, place.directory, place.text, 0));
}

int perform(StepExecutor& self, const Rename& op) {
  const At from = at(self, op.from);
  const At to = at(self, op.to);
  return answer(::renameat(from.directory, from.text, to.directory, to.text));
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
  const long fd = ::syscall(SYS_openat, place.directory, place.text, O_PATH | O_CLOEXEC);
  return self.store_handle(op.handle.text, static_cast<int>(fd));
}

int perform(StepExecutor& self, const Fchdir& op) {
  return answer(::syscall(SYS_fchdir, self.find(op.handle.text)));
}

int perform(StepExecutor& self, const Close& op) { return self.close_handle(op.handle.text); }

// Processes are the launcher's.
int perform(StepExecutor&, const Spawn&) { return ENOTSUP; }
int perform(StepExecutor&, const Exit&) { return ENOTSUP; }

int perform(StepExecutor&, const Unshare& op) {
  return answer(::syscall(SYS_unshare, flags_of(op)));
}

int perform(StepExecutor& self, const Setns& op) {
  return answer(::syscall(SYS_setns, self.find_namespace(op.task.text), flags_of(op)));
}

int perform(StepExecutor&, const DropCapabilities& op) {
  return kernel::drop_capabilities(kernel::capability_bits(op.capabilities));
}

int perform(StepExecutor& self, const OpenTree& op) {
  const At source = at(self, op.path);
  const int fd = api::open_tree(source.directory, source.text, flags_of(op));
  return self.store_handle(op.handle.text, fd);
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
  return self.store_handle(op.handle.text,
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
  return self.store_handle(step.handle.text, found);
}

int perform(StepExecutor& self, const NewProc& step) {
  constexpr unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return self.store_handle(step.handle.text, api::new_mount("proc", attributes));
}

int perform(StepExecutor& self, const AttachProc& step) {
  constexpr unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  const int proc = self.find(step.proc.text);
  const int error =
      answer(api::move_mount(proc, "", self.find(step.target.text), "", flags));
  self.close_handle(step.proc.text);
  return error;
}

}  // namespace

int StepExecutor::perform(const strategy::SwitchStep& step) {
  const auto one = [this](const auto& action) { return rootswitch::perform(*this, action); };
  return std::visit(Overloaded{
                        [&](const Op& op) { return std::visit(one, op); },
                        [&]<class Action>(const Action& action) {
                          if constexpr (is_about_processes<Action>) return ENOTSUP;
                          else return one(action);
                        },
                    },
                    step.action);
}

StepExecutor::StepExecutor(const strategy::Steps& steps) { handles_.reserve(steps.size()); }

// Without memcmp, for the same reason as above.
std::vector<StepExecutor::Handle>::const_iterator StepExecutor::search(
    std::string_view name) const {
  return std::ranges::find_if(handles_, [name](const Handle& handle) {
    bool same = name.size() == handle.name.size();
    for (std::size_t i = 0; same && i < name.size(); ++i) same = name[i] == handle.name[i];
    return same;
  });
}

int StepExecutor::find(std::string_view handle) const {
  const auto found = search(handle);
  return found == handles_.end() ? -1 : found->fd.get();
}

int StepExecutor::find_namespace(std::string_view task) const {
  const auto found = std::ranges::find(namespaces_, task, &BoundNamespace::task);
  return found == namespaces_.end() ? -1 : found->fd;
}

int StepExecutor::store_handle(std::string_view name, int fd) {
  if (fd < 0) return errno;
  close_handle(name);
  PIVOTCHECK_CHECK(handles_.size() < handles_.capacity());  // a step opens at most one
  handles_.push_back({name, UniqueFd(fd)});
  return 0;
}

int StepExecutor::close_handle(std::string_view name) {
  const auto found = search(name);
  if (found == handles_.end()) return EBADF;
  handles_.erase(found);
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
  for (Handle& handle : handles_) handle.fd.release();
  handles_.clear();
}

void StepExecutor::bind_namespace(std::string_view task, int fd) {
  auto bound = std::ranges::find(namespaces_, task, &BoundNamespace::task);
  if (bound == namespaces_.end()) {
    bound = std::ranges::find(namespaces_, std::string_view{}, &BoundNamespace::task);
  }
  PIVOTCHECK_CHECK(bound != namespaces_.end());
  *bound = {task, fd};
}

template <class T>
concept StaysInUserNamespace =
    OneOf<T, Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Mount, Bind, Move,
          ChangePropagation, Remount, Umount, PivotRoot, Chroot, Chdir, Open, Fchdir, Close, Spawn,
          Exit, DropCapabilities, OpenTree, MoveMount, MountSetattr, Fsmount>;

bool enters_user_namespace(const Op& op) {
  const auto other = []<OneOf<Unshare, Setns> T>(const T& one) {
    return one.kinds.has(NamespaceKind::user);
  };
  return std::visit(Overloaded{other, [](const StaysInUserNamespace auto&) { return false; }}, op);
}

bool needs_launcher(const strategy::SwitchStep& step) {
  return std::visit(Overloaded{
                        [](const Op& op) { return enters_user_namespace(op); },
                        []<class Action>(const Action&) { return is_about_processes<Action>; },
                    },
                    step.action);
}

}  // namespace pivotcheck::rootswitch

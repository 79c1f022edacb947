// SPDX-License-Identifier: Apache-2.0
// step_executor.cc: see step_executor.h. One function for each operation, in the order of op/op.h;
// then the steps that have no verb. There is no default: a new operation must be given its function
// here.
#include "switch/step_executor.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "switch/mask_proc.h"
#include "syscalls/capabilities.h"
#include "syscalls/mount_api.h"
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

namespace api = kernel::mount_api;
using kernel::flags_of;
using kernel::text_for_at;
using kernel::type_name;

int answer(long result) { return result < 0 ? errno : 0; }

// Bare calls, here and below: each wrapper of the C library lies in another page, and each page
// that a child runs must be mapped for it.
int call(long number, auto... arguments) { return answer(::syscall(number, arguments...)); }

int mount(const char* source, const Path& target, const char* type, unsigned long flags) {
  return call(SYS_mount, source, target.text.c_str(), type, flags, nullptr);
}

// `lo` of this network namespace: programs count on 127.0.0.1. Any socket will do for the request.
int set_up_loopback() {
  const UniqueFd socket(static_cast<int>(::syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0)));
  if (!socket) return errno;
  ifreq request{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
  request.ifr_flags = IFF_UP;
  return call(SYS_ioctl, socket.get(), SIOCSIFFLAGS, &request);
}

bool same_directory(int one, int other) {
  struct statx a {};
  struct statx b {};
  return ::statx(one, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) == 0 &&
         ::statx(other, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &b) == 0 &&
         a.stx_ino == b.stx_ino && a.stx_mnt_id == b.stx_mnt_id;
}

// Performs one operation, or one step that has no verb; the answer is 0 or an errno.
struct Calls {
  StepExecutor& self;

  // The directory at which a path begins, for a call with a descriptor.
  [[nodiscard]] int start(const Path& path) const {
    return path.handle.empty() ? AT_FDCWD : self.find(path.handle);
  }
  int call_at(long number, const Path& path, auto... arguments) const {
    return call(number, start(path), text_for_at(path), arguments...);
  }
  int store(const HandleName& handle, long opened) const {
    return self.store_handle(handle.text, static_cast<int>(opened));
  }

  int operator()(const Mkdir& op) const { return call_at(SYS_mkdirat, op.path, 0755); }
  int operator()(const Rmdir& op) const { return call_at(SYS_unlinkat, op.path, AT_REMOVEDIR); }
  int operator()(const Touch& op) const {
    constexpr int flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC;
    const UniqueFd file(::openat(start(op.path), text_for_at(op.path), flags, 0644));
    return file ? 0 : errno;
  }
  int operator()(const Unlink& op) const { return call_at(SYS_unlinkat, op.path, 0); }
  int operator()(const Rename& op) const {
    return call_at(SYS_renameat2, op.from, start(op.to), text_for_at(op.to), 0);
  }
  int operator()(const Symlink& op) const {
    return call(SYS_symlinkat, op.target.text.c_str(), start(op.path),
                text_for_at(op.path));
  }
  int operator()(const Chmod& op) const { return call_at(SYS_fchmodat, op.path, op.mode.bits); }

  int operator()(const Mount& op) const {
    return mount("none", op.path, type_name(op.type), flags_of(op));
  }
  int operator()(const OneOf<Bind, Move> auto& op) const {
    return mount(op.source.text.c_str(), op.target, nullptr, flags_of(op));
  }
  int operator()(const OneOf<ChangePropagation, Remount> auto& op) const {
    return mount("none", op.path, nullptr, flags_of(op));
  }
  int operator()(const Umount& op) const {
    return call(SYS_umount2, op.path.text.c_str(), flags_of(op));
  }

  int operator()(const PivotRoot& op) const {
    return answer(kernel::sys_pivot_root(op.new_root.text.c_str(), op.put_old.text.c_str()));
  }
  int operator()(const Chroot& op) const { return call(SYS_chroot, op.path.text.c_str()); }
  int operator()(const Chdir& op) const { return call(SYS_chdir, op.path.text.c_str()); }
  int operator()(const Open& op) const {
    return store(op.handle, ::syscall(SYS_openat, start(op.path), text_for_at(op.path),
                                      O_PATH | O_CLOEXEC));
  }
  int operator()(const Fchdir& op) const { return call(SYS_fchdir, self.find(op.handle.text)); }
  int operator()(const Close& op) const { return self.close_handle(op.handle.text); }

  // Processes are the launcher's.
  int operator()(const OneOf<Spawn, Exit, Limit> auto&) const { return ENOTSUP; }
  int operator()(const AboutProcesses auto&) const { return ENOTSUP; }
  int operator()(const Unshare& op) const { return call(SYS_unshare, flags_of(op)); }
  int operator()(const Setns& op) const {
    return call(SYS_setns, self.find_bound(op.task.text), flags_of(op));
  }
  int operator()(const DropCapabilities& op) const {
    return kernel::drop_capabilities(kernel::capability_bits(op.capabilities));
  }

  int operator()(const OpenTree& op) const {
    return store(op.handle,
                 api::open_tree(start(op.path), text_for_at(op.path), flags_of(op)));
  }
  int operator()(const MoveMount& op) const {
    return answer(api::move_mount(start(op.source), text_for_at(op.source),
                                  start(op.target), text_for_at(op.target),
                                  flags_of(op)));
  }
  int operator()(const MountSetattr& op) const {
    return answer(api::mount_setattr(start(op.path), text_for_at(op.path), flags_of(op),
                                     kernel::attributes_of(op.change)));
  }
  int operator()(const Fsmount& op) const {
    return store(op.handle, api::new_mount(type_name(op.type), kernel::attribute_flags(op.flags)));
  }

  int operator()(const strategy::EnterRoot&) const { return call(SYS_fchdir, self.find_bound("")); }
  int operator()(const strategy::UnshareOthers& step) const {
    const int error = call(SYS_unshare, step.kinds);
    return error == 0 && (step.kinds & CLONE_NEWNET) != 0 ? set_up_loopback() : error;
  }
  int operator()(const strategy::MakePrivateDirectory& step) const {
    constexpr int tries_max = 100;  // each is one that another process's sweep has just removed
    for (int i = 0; i < tries_max; ++i) {
      if (const int error = call_at(SYS_mkdirat, step.path, 0700)) return error;
      UniqueFd made(static_cast<int>(::syscall(SYS_openat, start(step.path),
                                               text_for_at(step.path),
                                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
      if (!made && errno == ENOENT) continue;
      if (!made) return errno;
      // Where a filesystem has no locks, a sweep can't lock it either, and leaves it.
      ::syscall(SYS_flock, made.get(), LOCK_EX);
      struct stat status {};
      if (::fstat(made.get(), &status) != 0) return errno;
      if (status.st_nlink != 0) return store(step.lock, made.release());
    }
    return EBUSY;
  }
  int operator()(const strategy::OpenTreeNoLinks& step) const {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    const Path& path = step.call.path;
    const UniqueFd found(kernel::sys_openat2(start(path), text_for_at(path), how));
    const unsigned flags = flags_of(step.call) | AT_EMPTY_PATH;
    return found ? store(step.call.handle, api::open_tree(found.get(), "", flags)) : errno;
  }
  int operator()(const strategy::OpenInRoot& step) const {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const int root = self.find(step.root.text);
    UniqueFd found(kernel::sys_openat2(root, step.path.c_str(), how));
    if (found && same_directory(root, found.get())) return EXDEV;  // by '..', or a link to '/'
    return store(step.handle, found.release());
  }
  int operator()(const strategy::NewProc& step) const {
    constexpr unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    return store(step.handle, api::new_mount("proc", attributes));
  }
  // Since Linux 4.7 each devpts is an instance of its own.
  int operator()(const strategy::NewPts& step) const {
    static constexpr std::array<api::Option, 3> options{
        {{"mode", "620"}, {"ptmxmode", "666"}, {"gid", "5"}}};
    constexpr unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    int made = api::new_mount("devpts", attributes, options);
    // The group tty may have no id in this user namespace.
    if (made < 0 && errno == EINVAL) {
      made = api::new_mount("devpts", attributes, std::span(options).first(2));
    }
    return store(step.handle, made);
  }
  int operator()(const strategy::AttachNew& step) const {
    constexpr unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    const int mount = self.find(step.mount.text);
    const int error =
        answer(api::move_mount(mount, "", self.find(step.target.text), "", flags));
    if (!step.keep) self.close_handle(step.mount.text);
    return error;
  }
  int operator()(const strategy::CloneNull& step) const {
    constexpr unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    UniqueFd null(api::open_tree(AT_FDCWD, "/dev/null", flags));
    const api::mount_attr change{.propagation = MS_PRIVATE};
    if (null && api::mount_setattr(null.get(), "", AT_EMPTY_PATH, change) != 0) return errno;
    return store(step.handle, null.release());
  }
  int operator()(const strategy::MaskProc& step) const {
    const int error = mask_proc(self.find(step.proc.text), self.find(step.null.text));
    self.close_handle(step.proc.text);
    self.close_handle(step.null.text);
    return error;
  }
  int operator()(const strategy::SetHostname& step) const {
    return call(SYS_sethostname, step.name.data(), step.name.size());
  }
  int operator()(const strategy::NewSession&) const {
    // A child inherits its parent's session keyring, and can use the keys in it. ENOSYS: this kernel
    // has no keys. EPERM: a seccomp filter refuses; the command inherits that filter, too.
    const int error = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 ? errno : 0;
    if (error != 0 && error != ENOSYS && error != EPERM) return error;
    if (const int refused = call(SYS_setsid)) return refused;
    return ::getsid(0) == ::getpid() ? 0 : EPERM;
  }
};

}  // namespace

int StepExecutor::perform(const strategy::SwitchStep& step) {
  return strategy::visit(Calls{*this}, step);
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

int StepExecutor::find_bound(std::string_view task) const {
  const auto found = std::ranges::find(bound_, task, &Bound::task);
  return found == bound_.end() ? -1 : found->fd;
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
  if (const auto* open = std::get_if<strategy::OpenInRoot>(&step.action)) {
    starts[0] = find(open->root.text);
  }
  if (const auto* open = std::get_if<strategy::OpenTreeNoLinks>(&step.action)) {
    starts[0] = find(open->call.path.handle);  // -1: it has none
  }
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

void StepExecutor::bind(std::string_view task, int fd) {
  std::erase_if(bound_, [&](const Bound& bound) { return bound.task == task; });
  bound_.push_back({task, fd});
}

bool enters_user_namespace(const strategy::SwitchStep& step) {
  return strategy::visit(
      [](const auto& action) {
        if constexpr (requires { action.kinds.has(NamespaceKind::user); }) {
          return action.kinds.has(NamespaceKind::user);
        }
        return false;
      },
      step);
}

bool needs_launcher(const strategy::SwitchStep& step) {
  return enters_user_namespace(step) ||
         strategy::visit([]<class T>(const T&) { return AboutProcesses<T>; }, step);
}

}  // namespace pivotcheck::rootswitch

// SPDX-License-Identifier: Apache-2.0
// old_tree.cc: see old_tree.h.
#include "old_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "syscalls/mount_api.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::bench {
namespace {

namespace api = kernel::mount_api;

std::unexpected<Failure> refused(const std::string& call) {
  return fail("the old tree: " + call + ": " + ::strerrorname_np(errno));
}

bool make_directories(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    if (::mkdir(path, 0755) != 0) return false;
  }
  return true;
}

bool copy(int from, const char* to) {
  const UniqueFd out(::open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755));
  struct stat info{};
  if (!out || ::fstat(from, &info) != 0) return false;
  return ::sendfile(out.get(), from, nullptr, static_cast<std::size_t>(info.st_size)) ==
         info.st_size;
}

// A namespace whose root is an empty tmpfs, and nothing else.
Expected<void> empty_namespace() {
  if (::unshare(CLONE_NEWNS) != 0) return refused("unshare mnt");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return refused("rprivate");
  if (::mount("none", "/tmp", "tmpfs", 0, "mode=755") != 0) return refused("mount tmpfs /tmp");
  if (::chdir("/tmp") != 0 || kernel::sys_pivot_root(".", ".") != 0) return refused("pivot_root");
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return refused("umount");
  return {};
}

Expected<void> add_mounts(unsigned count, int proc_tree) {
  unsigned have = 1;
  if (count >= 3) {
    if (api::move_mount(proc_tree, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      return refused("mount /proc");
    }
    ++have;
  }
  for (; have < count; ++have) {
    const std::string place = "/m/" + std::to_string(have);
    if (::mkdir(place.c_str(), 0755) != 0) return refused("mkdir " + place);
    if (::mount("/s", place.c_str(), nullptr, MS_BIND, nullptr) != 0) return refused("bind");
  }
  return {};
}

UniqueFd this_namespace(const OldTree& tree) {
  return UniqueFd(::openat(tree.proc.get(), "thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
}

Expected<void> set_propagation(const Setting& setting, OldTree& tree) {
  if (setting.tree == Tree::private_) return {};
  if (::mount("none", "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) return refused("rshared");
  tree.here = this_namespace(tree);
  const unsigned others = setting.tree == Tree::slave ? 1 : setting.peers;
  for (unsigned i = 0; i < others; ++i) {
    if (::unshare(CLONE_NEWNS) != 0) return refused("unshare of a peer");
    tree.peers.push_back(this_namespace(tree));
    if (!tree.peers.back()) return refused("ns/mnt");
    if (::setns(tree.here.get(), CLONE_NEWNS) != 0) return refused("setns");
  }
  if (setting.tree == Tree::slave &&
      ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return refused("rslave");
  }
  return {};
}

}  // namespace

Expected<OldTree> build_old_tree(const Setting& setting, const std::string& static_true) {
  OldTree tree;
  tree.proc.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd file(static_true.empty() ? -1 : ::open(static_true.c_str(), O_RDONLY | O_CLOEXEC));
  if (!static_true.empty() && !file) return refused("open " + static_true);
  if (::unshare(CLONE_NEWNS) != 0) return refused("unshare mnt");
  ::umask(0);
  const UniqueFd proc_tree(
      api::open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree.proc || !proc_tree) return refused("open /proc");
  if (auto made = empty_namespace(); !made) return std::unexpected(made.error());
  if (!make_directories({"/new", "/new/bin", "/new/proc", "/proc", "/m", "/s"})) {
    return refused("mkdir");
  }
  if (file && !copy(file.get(), "/new/bin/true")) return refused("copy of the program");
  if (auto made = add_mounts(setting.mounts, proc_tree.get()); !made) {
    return std::unexpected(made.error());
  }
  if (auto made = set_propagation(setting, tree); !made) return std::unexpected(made.error());
  tree.here = this_namespace(tree);
  if (!tree.here) return refused("ns/mnt");
  return tree;
}

strategy::Plan plan_for(const Setting& setting, unsigned worker) {
  strategy::Plan plan;
  plan.new_root = new_root;
  plan.put_old = "old" + std::to_string(worker);
  plan.contents = {{.name = "bin", .kind = strategy::Entry::Kind::directory, .link_target = ""},
                   {.name = "proc", .kind = strategy::Entry::Kind::directory, .link_target = ""}};
  plan.user_namespace = setting.user != UserNamespace::none;
  plan.mount_namespace = setting.own_mounts;
  return plan;
}

}  // namespace pivotcheck::bench

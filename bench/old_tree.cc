// SPDX-License-Identifier: Apache-2.0
// old_tree.cc: the tree as a list of operations, which the library's executor performs.
#include "old_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cstring>
#include <string>

#include "switch/step_executor.h"

namespace pivotcheck::bench {
namespace {

using Ops = std::vector<Op>;

Expected<void> perform(const Ops& ops) {
  strategy::Steps steps;
  for (const Op& op : ops) steps.push_back({.phase = strategy::Phase::prepare, .action = op});
  rootswitch::StepExecutor executor(steps);
  for (const strategy::SwitchStep& step : steps) {
    const int error = executor.perform(step);
    if (error != 0) return fail("the old tree: " + describe(step) + ": " + ::strerror(error));
  }
  return {};
}

Ops operations(const Setting& setting) {
  Ops ops{Unshare{{NamespaceKind::mnt}},
          ChangePropagation{.path = "/", .to = Propagation::private_, .recursive = true},
          Mount{FilesystemType::tmpfs, "/tmp", {}}};
  for (const char* path : {"new", "new/bin", "new/proc", "proc", "m", "s"}) {
    ops.push_back(Mkdir{std::string("/tmp/") + path});
  }
  unsigned have = 1;
  if (setting.mounts >= 3) {
    ops.push_back(Bind{"/proc", "/tmp/proc", /*recursive=*/true});
    ++have;
  }
  for (const Op& op : Ops{Chdir{"/tmp"}, PivotRoot{".", "."}, Umount{".", {UmountFlag::detach}},
                          Chdir{"/"}}) {
    ops.push_back(op);
  }
  for (; have < setting.mounts; ++have) {
    const std::string place = "/m/" + std::to_string(have);
    ops.push_back(Mkdir{place});
    ops.push_back(Bind{"/s", place, /*recursive=*/false});
  }
  if (setting.tree != Tree::private_) {
    ops.push_back(ChangePropagation{.path = "/", .to = Propagation::shared_, .recursive = true});
  }
  return ops;
}

// Peers are in copies of this namespace; a slave has its master in one.
Expected<void> add_peers(const Setting& setting, OldTree& tree) {
  const auto this_namespace = [&tree] {
    return UniqueFd(::openat(tree.proc.get(), "thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  };
  tree.here = this_namespace();
  const unsigned others = setting.tree == Tree::slave ? 1 : setting.peers;
  for (unsigned i = 0; i < others; ++i) {
    if (::unshare(CLONE_NEWNS) != 0) return fail("the old tree: unshare of a peer");
    tree.peers.push_back(this_namespace());
    if (::setns(tree.here.get(), CLONE_NEWNS) != 0) return fail("the old tree: setns");
  }
  if (setting.tree != Tree::slave) return {};
  return perform({ChangePropagation{.path = "/", .to = Propagation::slave, .recursive = true}});
}

}  // namespace

Expected<OldTree> build_old_tree(const Setting& setting) {
  OldTree tree;
  tree.proc.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  ::umask(0);
  auto made = perform(operations(setting));
  if (made) made = add_peers(setting, tree);
  if (!made) return std::unexpected(made.error());
  return tree;
}

strategy::Plan plan_for(const Setting& setting) {
  strategy::Plan plan;
  for (const char* name : {"bin", "proc"}) {
    plan.contents.push_back(
        {.name = name, .kind = strategy::Entry::Kind::directory, .link_target = ""});
  }
  plan.user_namespace = setting.user != UserNamespace::none;
  plan.mount_namespace = setting.own_mounts;
  return plan;
}

}  // namespace pivotcheck::bench

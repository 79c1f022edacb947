// SPDX-License-Identifier: Apache-2.0
// tmpfs_sandbox.cc: the way of bubblewrap, sandbox2 and nsjail: the new root is an empty tmpfs, and
// everything it is to show is mounted there, one piece after the other.
//
//     chdir NEW, unshare mnt, make-rprivate /       as in put_old.cc
//     open image .             the tmpfs is about to cover NEW; this handle still shows it
//     fsmount tmpfs            a mount, and not the root's: all that pivot_root asks for
//     move_mount ., fchdir     onto the tmpfs; everything below is relative to it
//     for each name in image   a directory or a file: an empty one of that name, then a clone of
//                              the image's tree attached to it (open_tree, move_mount; if it is to
//                              be read-only, before anybody can see it); a symbolic link: a copy.
//                              A name that was a directory and is a link by now is refused: it
//                              may lead to the host
//     the caller's mounts      a target that is missing is made in the tmpfs, not on the disk; below
//                              a name of the image it must exist, as with the other strategies
//     mkdir -m 0700 old        in the tmpfs too: NEW itself is never written to
//     pivot_root . old
//     fchdir oldroot, umount . detach, chdir /, rmdir old        as in put_old.cc
//     remount / ro             last, because rmdir writes. Only this one mount: what was attached
//                              is as writable as the caller asked
//
// It guarantees what put-old does; also, the top directory can't be changed, and nothing is visible
// that was not attached.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {
namespace {

HandleName image() { return {"image"}; }

void bring_in(const Entry& entry, const Plan& plan, Steps& steps) {
  const HandleName tree{"tree"};
  const std::string place = "./" + entry.name;  // a name may begin with '@'
  if (entry.kind == Entry::Kind::symlink) {
    return add(steps, Phase::bind, Symlink{{entry.link_target}, place});
  }
  const bool file = entry.kind == Entry::Kind::file;
  add(steps, Phase::bind, file ? Op{Touch{place}} : Op{Mkdir{place}});
  const OpenTreeFlags flags{OpenTreeFlag::clone, OpenTreeFlag::recursive};
  const Path source(image().text, "/" + entry.name);
  add(steps, Phase::bind, OpenTreeNoLinks{{tree, source, flags}});
  if (plan.read_only || plan.confine) {
    add(steps, Phase::bind, MountSetattr{{tree.text, ""}, change_of_root(plan), {true}});
  }
  add(steps, Phase::bind, MoveMount{{tree.text, ""}, place, {}}, Close{tree});
}

}  // namespace

Steps tmpfs_sandbox(const Plan& plan) {
  const MountFlags flags{MountFlag::nosuid, MountFlag::nodev};
  Steps steps;
  enter_namespaces(plan, steps);
  add(steps, Phase::propagation, ChangePropagation{"/", Propagation::private_, true});
  add(steps, Phase::bind, Open{image(), "."}, Fsmount{new_root(), FilesystemType::tmpfs, flags},
      MoveMount{{new_root().text, ""}, ".", {}}, Fchdir{new_root()});
  for (const Entry& entry : plan.contents) bring_in(entry, plan, steps);
  add(steps, Phase::bind, Close{image()});
  mount_requests(plan.mounts, steps, &plan.contents);
  add(steps, Phase::bind, Close{new_root()});
  pivot_to_put_old(plan, steps);
  remove_put_old(plan, steps);
  const MountFlags sealed = flags.with({MountFlag::ro});
  add(steps, Phase::detach, Remount{"/", {sealed}});
  return steps;
}

}  // namespace pivotcheck::strategy

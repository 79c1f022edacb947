// SPDX-License-Identifier: Apache-2.0
// op.cc: the names of the operations. verb() names an Op; prototypes() lists one Op of each verb,
// so that a parser finds the Op of a verb and a generator or a test can walk all verbs. The two
// never disagree: a verb exists because a prototype has it.
#include "op/op.h"

#include <cstddef>

namespace pivotcheck {
namespace {

std::string_view propagation_verb(const ChangePropagation& op) {
  static constexpr std::array<std::string_view, 4> single{"make-shared", "make-private",
                                                          "make-slave", "make-unbindable"};
  static constexpr std::array<std::string_view, 4> recursive{"make-rshared", "make-rprivate",
                                                             "make-rslave", "make-runbindable"};
  return (op.recursive ? recursive : single)[static_cast<std::size_t>(op.to)];
}

Op change_propagation(Propagation to, bool recursive) {
  return ChangePropagation{.path = {}, .to = to, .recursive = recursive};
}

}  // namespace

std::string_view verb(const Op& op) {
  using Name = std::string_view;
  return std::visit(Overloaded{
                        [](const Mkdir&) -> Name { return "mkdir"; },
                        [](const Rmdir&) -> Name { return "rmdir"; },
                        [](const Touch&) -> Name { return "touch"; },
                        [](const Unlink&) -> Name { return "unlink"; },
                        [](const Rename&) -> Name { return "rename"; },
                        [](const Symlink&) -> Name { return "symlink"; },
                        [](const Chmod&) -> Name { return "chmod"; },
                        [](const Mount&) -> Name { return "mount"; },
                        [](const Bind& bind) -> Name { return bind.recursive ? "rbind" : "bind"; },
                        [](const Move&) -> Name { return "move"; },
                        [](const ChangePropagation& to) -> Name { return propagation_verb(to); },
                        [](const Remount&) -> Name { return "remount"; },
                        [](const Umount&) -> Name { return "umount"; },
                        [](const PivotRoot&) -> Name { return "pivot_root"; },
                        [](const Chroot&) -> Name { return "chroot"; },
                        [](const Chdir&) -> Name { return "chdir"; },
                        [](const Open&) -> Name { return "open"; },
                        [](const Fchdir&) -> Name { return "fchdir"; },
                        [](const Close&) -> Name { return "close"; },
                        [](const Spawn&) -> Name { return "spawn"; },
                        [](const Exit&) -> Name { return "exit"; },
                        [](const Unshare&) -> Name { return "unshare"; },
                        [](const Setns&) -> Name { return "setns"; },
                        [](const DropCapabilities&) -> Name { return "dropcap"; },
                        [](const OpenTree&) -> Name { return "open_tree"; },
                        [](const MoveMount&) -> Name { return "move_mount"; },
                        [](const MountSetattr&) -> Name { return "mount_setattr"; },
                        [](const Fsmount&) -> Name { return "fsmount"; },
                    },
                    op);
}

const HandleName* opened_handle(const Op& op) {
  if (const auto* open = std::get_if<Open>(&op)) return &open->handle;
  if (const auto* tree = std::get_if<OpenTree>(&op)) return &tree->handle;
  if (const auto* mount = std::get_if<Fsmount>(&op)) return &mount->handle;
  return nullptr;
}

std::span<const Op> prototypes() {
  static const std::array<Op, 36> all{
      Mkdir{},
      Rmdir{},
      Touch{},
      Unlink{},
      Rename{},
      Symlink{},
      Chmod{},
      Mount{},
      Bind{.source = {}, .target = {}, .recursive = false},
      Bind{.source = {}, .target = {}, .recursive = true},
      Move{},
      change_propagation(Propagation::shared_, false),
      change_propagation(Propagation::private_, false),
      change_propagation(Propagation::slave, false),
      change_propagation(Propagation::unbindable, false),
      change_propagation(Propagation::shared_, true),
      change_propagation(Propagation::private_, true),
      change_propagation(Propagation::slave, true),
      change_propagation(Propagation::unbindable, true),
      Remount{},
      Umount{},
      PivotRoot{},
      Chroot{},
      Chdir{},
      Open{},
      Fchdir{},
      Close{},
      Spawn{},
      Exit{},
      Unshare{},
      Setns{},
      DropCapabilities{},
      OpenTree{},
      MoveMount{},
      MountSetattr{},
      Fsmount{},
  };
  return all;
}

std::size_t verb_index(const Op& op) {
  const std::span<const Op> all = prototypes();
  std::size_t i = 0;
  while (i < all.size() && (all[i].index() != op.index() || verb(all[i]) != verb(op))) ++i;
  return i;
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// op.cc: the names of the operations. verb() names an Op; prototypes() lists one Op of each verb,
// so that a parser finds the Op of a verb and a generator or a test can walk all verbs. Only a bind
// and a change of propagation have more than one verb.
#include "op/op.h"

#include <vector>

namespace pivotcheck {

std::string_view verb(const Op& op) {
  static constexpr std::string_view changes[2][4] = {
      {"make-shared", "make-private", "make-slave", "make-unbindable"},
      {"make-rshared", "make-rprivate", "make-rslave", "make-runbindable"}};
  return std::visit(
      Overloaded{[](const Bind& bind) { return bind.recursive ? "rbind" : bind.name; },
                 [](const ChangePropagation& change) {
                   return changes[change.recursive ? 1 : 0][static_cast<std::size_t>(change.to)];
                 },
                 []<class Typed>(const Typed&) { return Typed::name; }},
      op);
}

const HandleName* opened_handle(const Op& op) {
  return std::visit(
      Overloaded{[](const OneOf<Open, OpenTree, Fsmount> auto& opens) { return &opens.handle; },
                 [](const OneOf<Fchdir, Close> auto&) -> const HandleName* { return nullptr; },
                 []<class Typed>(const Typed&) -> const HandleName* {
                   static_assert(
                       !requires(Typed typed) { typed.handle; }, "does it open that handle?");
                   return nullptr;
                 }},
      op);
}

bool is_expire(const Op& op) {
  const auto* umount = std::get_if<Umount>(&op);
  return umount != nullptr && umount->flags.has(UmountFlag::expire);
}

Effect effect_of(const Op& op) {
  using enum Effect;
  const auto if_user = [](NamespaceKinds kinds, Effect effect) {
    return kinds.has(NamespaceKind::user) ? effect : none;
  };
  return std::visit(
      Overloaded{
          [](const Spawn&) { return makes_task; },
          [](const Exit&) { return ends_task; },
          [](const OneOf<Open, OpenTree, Fsmount> auto&) { return opens_handle; },
          [](const Close&) { return closes_handle; },
          [&](const Unshare& unshare) { return if_user(unshare.kinds, makes_user_namespace); },
          [&](const Setns& setns) { return if_user(setns.kinds, changes_credentials); },
          [](const DropCapabilities&) { return changes_credentials; },
          [](const OneOf<Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Mount, Bind, Move,
                         ChangePropagation, Remount, Umount, PivotRoot, Chroot, Chdir, Fchdir,
                         Limit, MoveMount, MountSetattr> auto&) { return none; },
      },
      op);
}

namespace {

template <class Typed>
void add_prototypes(std::vector<Op>& all) {
  if constexpr (std::same_as<Typed, Bind>) {
    for (const bool recursive : {false, true}) all.push_back(Bind{{}, {}, recursive});
  } else if constexpr (std::same_as<Typed, ChangePropagation>) {
    for (const bool recursive : {false, true}) {
      for (std::size_t to = 0; to < FlagNames<Propagation>::names.size(); ++to) {
        all.push_back(ChangePropagation{{}, static_cast<Propagation>(to), recursive});
      }
    }
  } else {
    all.push_back(Typed{});
  }
}

template <class... Types>
std::vector<Op> make_prototypes(const std::variant<Types...>&) {
  std::vector<Op> all;
  (add_prototypes<Types>(all), ...);
  return all;
}

}  // namespace

std::span<const Op> prototypes() {
  static const std::vector<Op> all = make_prototypes(Op{});
  return all;
}

std::size_t verb_index(const Op& op) {
  const std::span<const Op> all = prototypes();
  std::size_t i = 0;
  while (i < all.size() && (all[i].index() != op.index() || verb(all[i]) != verb(op))) ++i;
  return i;
}

}  // namespace pivotcheck

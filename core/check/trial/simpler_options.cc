// SPDX-License-Identifier: Apache-2.0
// simpler_options.cc: an overload of count() and fewer() for each type of field that an operation
// can have; a new type does not compile without.
#include <concepts>
#include <utility>

#include "check/trial/minimize.h"

namespace pivotcheck {
namespace {

template <class Field>
concept NoOption = OneOf<Field, Path, TaskName, HandleName, LinkTarget, Mode>;
// What is there or not, and simpler if not: ramfs, "recursive".
template <class Field>
concept OneOption = OneOf<Field, FilesystemType, RecursiveWord>;

int count(const NoOption auto&) { return 0; }
template <class Flag>
int count(const FlagSet<Flag>& flags) { return flags.count(); }
int count(const RemountFlags& remount) { return remount.flags.count(); }
template <OneOption Field>
int count(const Field& field) { return field == Field{} ? 0 : 1; }
int count(const AttributeChange& change) {
  return change.set.count() + change.clear.count() + (change.propagation ? 1 : 0) +
         (change.keep_atime ? 1 : 0);
}

// What is simpler than the value of a field, the simplest first.
template <NoOption Field>
std::vector<Field> fewer(const Field&) { return {}; }
template <class Flag>
std::vector<FlagSet<Flag>> fewer(const FlagSet<Flag>& flags) {
  // The lists of unshare, setns and dropcap are never empty.
  constexpr bool can_be_empty =
      !std::same_as<Flag, NamespaceKind> && !std::same_as<Flag, Capability>;
  std::vector<FlagSet<Flag>> result;
  if (flags.count() > 1 && can_be_empty) result.push_back({});
  if (flags.count() == 1 && !can_be_empty) return result;
  for (int bit = 1; bit <= flags.bits(); bit *= 2) {
    if ((flags.bits() & bit) != 0) result.push_back(flags.without(FlagSet<Flag>::from_bits(bit)));
  }
  return result;
}
std::vector<RemountFlags> fewer(const RemountFlags& remount) {
  std::vector<RemountFlags> result;
  for (const MountFlags& flags : fewer(remount.flags)) result.push_back({flags});
  return result;
}
template <OneOption Field>
std::vector<Field> fewer(const Field& field) {
  return std::vector<Field>(static_cast<std::size_t>(count(field)));
}
// With one thing less to change; something always is.
std::vector<AttributeChange> fewer(const AttributeChange& change) {
  std::vector<AttributeChange> result;
  const auto offer = [&](AttributeChange less) {
    if (count(less) > 0) result.push_back(std::move(less));
  };
  const auto& [set, clear, propagation, keep_atime] = change;
  for (const MountFlags& less : fewer(set)) offer({less, clear, propagation, keep_atime});
  for (const MountFlags& less : fewer(clear)) offer({set, less, propagation, keep_atime});
  if (propagation) offer({set, clear, std::nullopt, keep_atime});
  if (keep_atime) offer({set, clear, propagation, false});
  return result;
}

// bind and make-... have "recursive" in their verb: rbind, make-rshared.
template <class AnyOp>
concept HasRecursiveVerb = requires(AnyOp op) {
  { op.recursive } -> std::same_as<bool&>;
};

}  // namespace

std::size_t options_in(const Op& op) {
  int options = 0;
  std::visit(
      [&]<class Typed>(const Typed& typed) {
        if constexpr (HasRecursiveVerb<Typed>) options += typed.recursive ? 1 : 0;
        typed.fields(typed, [&](const auto& field) { options += count(field); });
      },
      op);
  return static_cast<std::size_t>(options);
}

std::vector<Op> with_fewer_options(const Op& op) {
  std::vector<Op> result;
  Op changed = op;
  const auto offer_each = [&]<class Field>(Field& field) {
    const Field before = field;
    for (const Field& simpler : fewer(before)) {
      field = simpler;
      result.push_back(changed);
    }
    field = before;
  };
  std::visit(
      [&]<class Typed>(Typed& typed) {
        if constexpr (HasRecursiveVerb<Typed>) {
          if (std::exchange(typed.recursive, false)) {
            result.push_back(changed);
            typed.recursive = true;
          }
        }
        typed.fields(typed, offer_each);
      },
      changed);
  return result;
}

}  // namespace pivotcheck

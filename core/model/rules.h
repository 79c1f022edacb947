// SPDX-License-Identifier: Apache-2.0
// rules.h: every reason for which an operation is refused, as one table. A verdict of the model
// names exactly one rule; `pivotcheck rules` prints the table. The rows are in rule_rows.h.
//
// If several rules of one call with the same errno are broken at once, nobody can observe which of
// them the kernel checked first; the model then names the one that stands first in the table. If
// their errnos differ, the table has them in the order in which the kernel was seen to check.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/release.h"
#include "op/flags.h"
#include "op/op.h"

namespace pivotcheck {

enum class Rule : unsigned char {
  none,
#define RULE(identifier, ...) identifier,
#include "model/rule_rows.h"
#undef RULE
};

#define RULE(...) +1
inline constexpr std::size_t rules_count =
#include "model/rule_rows.h"
    ;
#undef RULE

// --- the calls that a rule belongs to ------------------------------------------------------------

// A system call; more than one value for a call that does several things, each with its own rules.
enum class Call : unsigned char {
  mkdir, rmdir, touch, unlink, rename, symlink, chmod,
  mount_new, mount_bind, mount_move, mount_propagation, mount_remount,
  umount, umount_expire,
  pivot_root, chroot, chdir, open, fchdir, close,
  unshare_user, unshare_mnt,
  setns,       // by a descriptor of the namespace
  setns_task,  // by a descriptor of a task
  open_tree, open_tree_clone,
  move_mount, move_mount_beneath, move_mount_set_group,
  mount_setattr, fsmount,
};
inline constexpr std::size_t calls_count = static_cast<std::size_t>(Call::fsmount) + 1;

class Calls {
 public:
  constexpr Calls() = default;
  constexpr Calls(std::initializer_list<Call> calls) {
    for (const Call call : calls) bits_ |= bit(call);
  }
  static constexpr Calls all_but(Calls others) {
    Calls calls;
    calls.bits_ = ((bit(Call::fsmount) << 1U) - 1) & ~others.bits_;
    return calls;
  }
  [[nodiscard]] constexpr bool has(Call call) const { return (bits_ & bit(call)) != 0; }
  [[nodiscard]] constexpr bool overlaps(Calls other) const { return (bits_ & other.bits_) != 0; }
  constexpr bool operator==(const Calls&) const = default;

 private:
  static constexpr std::uint64_t bit(Call call) {
    return std::uint64_t{1} << static_cast<unsigned>(call);
  }
  std::uint64_t bits_ = 0;
};
static_assert(calls_count < 64);

// The calls that look up a path or a handle. The rules of lookup are the same in each of them.
inline constexpr Calls any_path = Calls::all_but(
    {Call::unshare_user, Call::unshare_mnt, Call::setns, Call::setns_task, Call::fsmount});

// What an operation calls; empty if no rule is about it.
Calls calls_of(const Op& op);
// "mount,move_mount"; "*path*" for any_path.
std::string to_string(Calls calls);

// --- where a rule is documented ------------------------------------------------------------------

// A manual page ("mount(2)") or a text of the kernel ("sharedsubtree.rst").
struct Document {
  std::string_view name;
};

// ci/citations looks each of them up: `section` begins a heading of the document (a heading of
// sharedsubtree.rst has the number of its chapter in front: "5d) Move semantics"), and `words`
// stand below that heading.
struct Citation {
  enum class Kind : unsigned char { none, text, observed, says_nothing };
  Kind kind = Kind::none;
  Document document = {};
  std::string_view section = {};
  std::string_view words = {};
};
using Citations = std::array<Citation, 3>;

// `mount(2), ERRORS, "target is a descendant of source"; observed; umount(2) says nothing`
std::string to_string(const Citations& source);

// --- for `explain` -------------------------------------------------------------------------------

// The mounts that a refusal of pivot_root is about.
enum class Subject : unsigned char { root, root_parent, new_root, new_root_parent, put_old };
using Subjects = FlagSet<Subject>;

// Which commands make pivot_root succeed where this rule refused it (explain/remedy.h).
enum class Fix : unsigned char {
  none,
  own_namespace,
  mount_root,
  make_root_parent_private,
  make_put_old_mount_private,
  make_new_root_parent_private,
  bind_new_root,
  make_directory,
  other_put_old,
};

// --- the table -----------------------------------------------------------------------------------

struct RuleInfo {
  Rule rule = Rule::none;
  std::string_view name;  // "put-old-gone" of Rule::put_old_gone
  Calls calls;
  int error = 0;              // the errno
  Release since = {};         // the first release that has it; {}: older than 6.1, the oldest tried
  Release until = {};         // the first release that does not have it any more; {}: all have it
  Release stable_since = {};  // stable releases of older series have it too, from this series on
  Subjects about = {};
  Fix fix = Fix::none;
  std::string_view reason;  // one line, for people
  Citations source;
  std::string_view advice = {};  // what a person can do about it; "" if there is nothing to say
};

// "put-old-gone" of "put_old_gone", at compile time: name_of<"put_old_gone">.
template <std::size_t size>
struct Identifier {
  char text[size]{};
  consteval Identifier(const char (&from)[size]) {  // NOLINT: a literal is one
    for (std::size_t i = 0; i < size; ++i) text[i] = from[i] == '_' ? '-' : from[i];
  }
};
template <Identifier identifier>
inline constexpr std::string_view name_of{identifier.text, sizeof(identifier.text) - 1};

// A kernel of that release can refuse something by this rule.
bool shown_by(const RuleInfo& rule, const Release& release);
// "always", "6.5", "5.2 until 6.5", "6.1 and later stable releases, 6.17"
std::string since_text(const RuleInfo& rule);

// All rules, in the order of the enumeration, without `none`.
std::span<const RuleInfo> rule_table();
const RuleInfo& info(Rule rule);        // not for `none`
Rule find_rule(std::string_view name);  // none if there is no such rule

// The rule that refuses a step. It is true when there is one:
//
//     if (const Refusal r = check_move(call, moved, target)) return r;
//     return {};  // done
struct Refusal {
  Rule rule = Rule::none;

  constexpr Refusal() = default;
  constexpr Refusal(Rule broken) : rule(broken) {}  // NOLINT: a broken rule is a refusal
  explicit constexpr operator bool() const { return rule != Rule::none; }
  bool operator==(const Refusal&) const = default;
};

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// rules.cc: the rows of rule_rows.h as data, and their parts as text.
#include "model/rules.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"

namespace pivotcheck {
namespace {

// The man-pages project, and Documentation/filesystems of the kernel.
constexpr Document chdir_2{"chdir(2)"};
constexpr Document chroot_2{"chroot(2)"};
constexpr Document fsmount_2{"fsmount(2)"};
constexpr Document fsopen_2{"fsopen(2)"};
constexpr Document mkdir_2{"mkdir(2)"};
constexpr Document mount_2{"mount(2)"};
constexpr Document mount_namespaces_7{"mount_namespaces(7)"};
constexpr Document mount_setattr_2{"mount_setattr(2)"};
constexpr Document move_mount_2{"move_mount(2)"};
constexpr Document namespaces_7{"namespaces(7)"};
constexpr Document open_2{"open(2)"};
constexpr Document open_tree_2{"open_tree(2)"};
constexpr Document path_resolution_7{"path_resolution(7)"};
constexpr Document pathname_7{"pathname(7)"};
constexpr Document pivot_root_2{"pivot_root(2)"};
constexpr Document ptrace_2{"ptrace(2)"};
constexpr Document rename_2{"rename(2)"};
constexpr Document rmdir_2{"rmdir(2)"};
constexpr Document setns_2{"setns(2)"};
constexpr Document sharedsubtree{"sharedsubtree.rst"};
constexpr Document symlink_2{"symlink(2)"};
constexpr Document umount_2{"umount(2)"};
constexpr Document unlink_2{"unlink(2)"};
constexpr Document unshare_2{"unshare(2)"};
constexpr Document user_namespaces_7{"user_namespaces(7)"};

constexpr Citation cite(Document document, std::string_view section, std::string_view words) {
  return {Citation::Kind::text, document, section, words};
}
constexpr Citation errors(Document document, std::string_view words) {
  return cite(document, "ERRORS", words);
}
constexpr Citation text(Document document, std::string_view words) {
  return cite(document, "DESCRIPTION", words);
}
constexpr Citation observed{.kind = Citation::Kind::observed};
// The document that should say it does not.
constexpr Citation silent(Document document) {
  return {.kind = Citation::Kind::says_nothing, .document = document};
}

// What several rows cite.
constexpr std::string_view restrictions = "Restrictions on mount namespaces";
constexpr Citation owner_decides =
    cite(user_namespaces_7, "Interaction of user namespaces and other types of namespaces",
         "necessary capabilities in the user namespace that owns the nonuser namespace");
constexpr Citation mounts_are_locked =
    cite(mount_namespaces_7, restrictions, "may not be separated in a less privileged mount");
constexpr Citation own_mounts_only =
    cite(mount_namespaces_7, restrictions, "Each mount namespace has an owner user namespace");
constexpr Citation may_go_elsewhere = cite(mount_namespaces_7, restrictions,
                                           "may be renamed, unlinked, or removed (rmdir(2))");
constexpr Citation trailing_slash =
    cite(path_resolution_7, "Trailing slashes", "forces resolution of the preceding component");

// What several rows advise.
constexpr std::string_view advice_put_old =
    "put_old must be new_root or a directory below it; new_root itself is enough.";
constexpr std::string_view advice_new_root =
    "Name new_root by a path that leads to a directory of this mount namespace.";

using enum Call;
using enum Subject;
using enum Fix;
constexpr Calls any_mount{mount_new, mount_bind, mount_move, mount_propagation, mount_remount};
constexpr Calls binds{mount_bind, open_tree_clone};
constexpr Calls moves{mount_move, move_mount, move_mount_beneath};
constexpr Calls binds_and_moves{mount_bind, mount_move, move_mount, move_mount_beneath};
constexpr Calls attachments{mount_new, mount_bind, mount_move, move_mount, move_mount_beneath};
constexpr Calls set_group{move_mount_set_group};
constexpr Calls any_move_mount{move_mount, move_mount_beneath, move_mount_set_group};

constexpr std::array table{
#define RULE(identifier, ...) \
  RuleInfo{.rule = Rule::identifier, .name = name_of<#identifier>, __VA_ARGS__},
#include "model/rule_rows.h"
#undef RULE
};
static_assert(table.size() == rules_count);

constexpr auto call_names = std::to_array<std::string_view>({
    "mkdir",  "rmdir",   "touch",   "unlink",     "rename",     "symlink",    "chmod",
    "mount",  "mount",   "mount",   "mount",      "mount",      "umount",     "umount",
    "pivot_root", "chroot", "chdir", "open",      "fchdir",     "close",      "unshare",
    "unshare", "setns",  "setns",   "open_tree",  "open_tree",  "move_mount", "move_mount",
    "move_mount", "mount_setattr", "fsmount"});
static_assert(call_names.size() == calls_count, "a Call without a name");

// "6.5": the patch level is 0 in all rows.
std::string short_text(const Release& release) {
  return std::to_string(release.parts[0]) + '.' + std::to_string(release.parts[1]);
}

std::string to_string(const Citation& citation) {
  std::string text(citation.document.name);
  if (citation.kind == Citation::Kind::observed) return "observed";
  if (citation.kind == Citation::Kind::says_nothing) return text + " says nothing";
  return text.append(", ").append(citation.section).append(", \"").append(citation.words) + '"';
}

}  // namespace

std::span<const RuleInfo> rule_table() { return table; }

const RuleInfo& info(Rule rule) {
  PIVOTCHECK_CHECK(rule != Rule::none);
  return table[static_cast<std::size_t>(rule) - 1];
}

bool shown_by(const RuleInfo& rule, const Release& release) {
  const Release& since = rule.stable_since == Release{} ? rule.since : rule.stable_since;
  return since <= release && (rule.until == Release{} || release < rule.until);
}

std::string since_text(const RuleInfo& rule) {
  if (rule.since == Release{}) return "always";
  std::string text = short_text(rule.since);
  if (rule.stable_since != Release{}) {
    text = short_text(rule.stable_since) + " and later stable releases, " + text;
  }
  if (rule.until != Release{}) text += " until " + short_text(rule.until);
  return text;
}

Rule find_rule(std::string_view name) {
  const auto row = std::ranges::find(table, name, &RuleInfo::name);
  return row == table.end() ? Rule::none : row->rule;
}

Calls calls_of(const Op& op) {
  return std::visit(
      Overloaded{
          [&](const OneOf<Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, PivotRoot, Chroot,
                          Chdir, Open, Fchdir, Close, MountSetattr, Fsmount> auto&) {
            const auto name = std::ranges::find(call_names, verb(op));
            return Calls{static_cast<Call>(name - call_names.begin())};
          },
          [](const Mount&) { return Calls{mount_new}; },
          [](const Bind&) { return Calls{mount_bind}; },
          [](const Move&) { return Calls{mount_move}; },
          [](const ChangePropagation&) { return Calls{mount_propagation}; },
          [](const Remount&) { return Calls{mount_remount}; },
          [&](const Umount&) {
            return is_expire(op) ? Calls{umount, umount_expire} : Calls{umount};
          },
          [](const OneOf<Spawn, Exit, DropCapabilities, Limit> auto&) { return Calls{}; },
          [](const Unshare& unshared) {
            return Calls{unshared.kinds.has(NamespaceKind::user) ? unshare_user : unshare_mnt};
          },
          [](const Setns&) { return Calls{setns, setns_task}; },
          [](const OpenTree& opened) {
            return Calls{opened.flags.has(OpenTreeFlag::clone) ? open_tree_clone : open_tree};
          },
          [](const MoveMount& moved) {
            if (moved.flags.empty()) return Calls{move_mount};
            if (!moved.flags.has(MoveMountFlag::set_group)) return Calls{move_mount_beneath};
            return moved.flags.has(MoveMountFlag::beneath)
                       ? Calls{move_mount_beneath, move_mount_set_group}
                       : Calls{move_mount_set_group};
          },
      },
      op);
}

std::string to_string(Calls calls) {
  if (calls == any_path) return "*path*";
  std::string text;
  std::string_view last;
  for (std::size_t i = 0; i < calls_count; ++i) {
    if (!calls.has(static_cast<Call>(i)) || call_names[i] == last) continue;
    last = call_names[i];
    if (!text.empty()) text += ',';
    text += last;
  }
  return text;
}

std::string to_string(const Citations& source) {
  std::string text;
  for (const Citation& citation : source) {
    if (citation.kind == Citation::Kind::none) break;
    if (!text.empty()) text += "; ";
    text += to_string(citation);
  }
  return text;
}

}  // namespace pivotcheck

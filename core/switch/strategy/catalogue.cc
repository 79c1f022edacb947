// SPDX-License-Identifier: Apache-2.0
// catalogue.cc: the table of catalogue.h. `guarantee` is what attacks from inside measure
// (props/attack/TABLE.md); each strategy's file says why it holds.
#include "switch/strategy/catalogue.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pivotcheck {
namespace {

constexpr std::array<StrategyInfo, 8> table{{
    {Strategy::put_old, "put-old",
     "chdir into the root, own mount namespace, / private, bind . to itself, mkdir put_old, "
     "pivot_root, detach the old root, chdir /, rmdir put_old",
     "the old root is gone from the namespace: no way back by '..', umount or setns; the new root "
     "must be writable for a moment"},
    {Strategy::dot_dot, "dot-dot",
     "chdir into the root, own mount namespace, / slave or private, bind . to itself, "
     "pivot_root(\".\", \".\"), the old root rslave and detached, chdir /",
     "as put-old, and nothing is written to the new root: the old one needs no directory"},
    {Strategy::manual, "manual",
     "cd into the root, own mount namespace, / private, bind . to itself, pivot_root . old_root, "
     "chroot ., umount of the old root from inside",
     "as put-old; the chroot comes from pivot_root(8) and adds nothing, because pivot_root has "
     "moved the root already"},
    {Strategy::proc_first, "proc-first",
     "own PID namespace too: / private, bind, /proc mounted in the root before the pivot, "
     "the rest as in put-old",
     "as put-old; /proc shows the command's own processes only, also in a user namespace"},
    {Strategy::tmpfs_sandbox, "tmpfs-sandbox",
     "chdir into the root, own mount namespace, / private, tmpfs on ., mounts attached one by one, "
     "pivot_root(\".\", \"old_root\"), detach, rmdir, remount read-only",
     "as put-old; the top directory is read-only, nothing is written to the root's own directory, "
     "and only what was attached is visible"},
    {Strategy::move_chroot, "move-chroot",
     "chdir into the root, own mount namespace, / private, bind . to itself, MS_MOVE of . over /, "
     "chroot ., chdir /",
     "for an initramfs before Linux 7.0, where pivot_root is refused; the old root is only covered: "
     "a command with CAP_SYS_ADMIN and CAP_SYS_CHROOT gets back with umount / and setns"},
    {Strategy::chroot, "chroot", "chdir into the root, chroot .",
     "no boundary: a command with CAP_SYS_CHROOT leaves by '..' after a second chroot; if no "
     "mounts are asked for, it stays in the caller's mount namespace, and the caller sees what it "
     "mounts"},
    {Strategy::template_, "template",
     "a small namespace, prepared once; then: chdir into the root, clone it recursively, make it "
     "private or slave, setns, unshare, move_mount over the namespace's root, fchdir, chroot .",
     "the host's tree was never in the namespace; below the root there is only the template's "
     "empty directory; the cost does not grow with the host's mounts"},
}};

}  // namespace

std::span<const StrategyInfo> strategies() { return table; }

const StrategyInfo& info(Strategy strategy) { return table[static_cast<std::size_t>(strategy)]; }

std::optional<Strategy> find_strategy(std::string_view name) {
  const auto row = std::ranges::find(table, name, &StrategyInfo::name);
  return row == table.end() ? std::nullopt : std::optional(row->strategy);
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// catalogue.h: the ways to switch root: the name of each, what it does and what it guarantees. This
// is what `pivotcheck strategies` prints. The steps are elsewhere (step.h).
// And what each of them can mount in the new root.
// This header is installed with root_switch.h; it needs only the standard library.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace pivotcheck {

enum class Strategy : unsigned char {
  put_old,
  dot_dot,
  manual,
  proc_first,
  tmpfs_sandbox,
  move_chroot,
  chroot,
  template_,
};

struct StrategyInfo {
  Strategy strategy;
  std::string_view name;       // "dot-dot": as in --strategy
  std::string_view sequence;   // what it does, one line
  std::string_view guarantee;  // what holds for the command afterwards, and what does not
};

// In the order of the enum.
std::span<const StrategyInfo> strategies();
const StrategyInfo& info(Strategy strategy);
std::optional<Strategy> find_strategy(std::string_view name);

// --- mounts; each target is a path in the new root -----------------------------------------------

// A directory or file of the caller's, with everything mounted below it; all of it with these
// attributes. Unless asked for, no set-user-ID program gains anything there, and no device opens.
struct BindAt {
  std::string source;
  std::string target;
  bool recursive = true;
  bool read_only = false;
  bool suid = false;
  bool dev = false;
};
struct TmpfsAt {
  std::string target;
};
// A new /proc of the command's PID namespace. What there is the whole machine's is hidden or
// read-only (switch/mask_proc.h), unless `open`: to a command that is the machine's root, with or
// without a user namespace, the settings in /proc/sys are writable then.
struct ProcAt {
  std::string target;
  bool open = false;
};
// A small tmpfs with what programs expect of /dev: null, zero, full, random, urandom and tty, bound
// from the caller's; console, if the caller's standard input is a terminal; terminals of its own
// (pts, ptmx); shm; and fd, stdin, stdout and stderr, which lead to /proc/self/fd.
struct DevAt {
  std::string target;
};
// No mounts: a directory and a symbolic link, in a tmpfs of the options before them or in
// tmpfs-sandbox's. Nothing is ever made in the new root's own filesystem.
struct DirectoryAt {
  std::string target;
};
struct SymlinkAt {
  std::string text;  // what the link says
  std::string target;
};
using MountAt = std::variant<BindAt, TmpfsAt, ProcAt, DevAt, DirectoryAt, SymlinkAt>;

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// root_switch.h: run a command in a new root, by any of the ways to switch root
// (switch/strategy/catalogue.h).
//
//     pivotcheck::SwitchOptions options;
//     options.new_root = "/srv/busybox";
//     options.mounts.push_back(pivotcheck::ProcAt{"/proc"});
//     options.pid_namespace = true;
//     auto root = pivotcheck::RootSwitch::make(options);  // looks at what was asked
//     if (!root) return complain(root.error().message);
//     auto child = root->start({.arguments = {"/bin/sh", "-c", "id"}});  // runs it
//     if (!child) return complain(child.error().message);
//     auto end = child->wait();
//
// What holds:
//   - Nothing is done in the namespaces of the caller: a child is forked for all of it. start() has
//     returned when the command was started, or was refused; a refusal leaves the caller as he was
//     and nothing behind: no process, no mount, no directory, no descriptor.
//   - Descriptors are owned, and closed when the command starts. So is every other descriptor from
//     3 on, whoever opened it, but for `keep_descriptors`; a directory open as 0, 1 or 2 is
//     refused, as it would lead out.
//   - Targets of mounts are paths in the new root; no link and no '..' leads out of it.
//   - With `die_with_caller` the command is killed when the *thread* that called start() ends, in
//     whatever way; in a PID namespace of its own, with everything that it started.
//   - One RootSwitch may start many commands, one after the other or from several threads.
//
// A caller who ignores SIGCHLD, or whose own wait takes the child away, learns no status.
//
// Environment, signal mask, session, limits and control group are the caller's own. The init of a
// PID namespace is a fork of the caller; a command with its uid can read the memory of it, so a
// program that has secrets starts `pivotcheck switch` instead.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "strategy/catalogue.h"

namespace pivotcheck {

// --- what is wanted ------------------------------------------------------------------------------

// A directory or file of the caller's, with everything that is mounted below it.
struct BindAt {
  std::string source;
  std::string target;
  bool recursive = true;
  bool read_only = false;  // all the way down
};
struct TmpfsAt {
  std::string target;
};
struct ProcAt {
  std::string target;
};
// A small tmpfs with null, zero, full, random, urandom and tty, bound from the caller's /dev.
struct DevAt {
  std::string target;
};
using MountAt = std::variant<BindAt, TmpfsAt, ProcAt, DevAt>;

// Ids `inside` ... `inside + count - 1` of the user namespace are `outside` ... of the caller's.
struct IdRange {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 1;
  bool operator==(const IdRange&) const = default;
};

struct SwitchOptions {
  Strategy strategy = Strategy::dot_dot;
  std::string new_root;  // a directory; the last component must not be a symbolic link
  std::vector<MountAt> mounts;
  bool read_only = false;     // the new root and all that is mounted below it, but not `mounts`
  bool slave_mounts = false;  // mounts that the host makes later appear: dot-dot and template only

  bool user_namespace = false;
  std::vector<IdRange> uid_map;  // one id: the caller's own; more through newuidmap and newgidmap,
  std::vector<IdRange> gid_map;  // unless the caller may write them himself
  bool pid_namespace = false;    // with an init that reaps and passes signals on
  bool mount_namespace = false;  // also for chroot, which could do without
  bool ipc_namespace = false;
  bool uts_namespace = false;
  bool net_namespace = false;
  bool cgroup_namespace = false;

  // What the command does not have any more, in the order in which it is taken away:
  std::uint64_t dropped_capabilities = 0;  // a bit for each, (1 << CAP_...): out of every set
  bool no_new_privileges = false;
  std::vector<std::uint64_t> seccomp_program;  // struct sock_filter, one for each number

  bool die_with_caller = true;
  std::vector<int> keep_descriptors;
};

struct Command {
  std::vector<std::string> arguments;  // [0] without a slash is looked for in PATH, in the new root
  std::optional<std::vector<std::string>> environment;  // not given: the caller's own
  std::optional<sigset_t> signal_mask;                  // not given: the caller's own
};

// --- what became of it ---------------------------------------------------------------------------

struct SwitchFailure {
  enum class Kind : unsigned char {
    bad_options,     // they contradict each other: nothing was tried
    refused,         // this root, these mounts, this caller: a step or the look at them says no
    not_executable,  // the root was switched, but the command can't be run
    not_found,       // the same: there is no such command in the new root
  };
  Kind kind = Kind::refused;
  std::string step;  // "pivot_root . .", "" where none was reached
  int error = 0;     // its errno, 0 where there is none
  std::string rule;  // why the kernel refused, as `explain` names it; "" where it can't be told
  std::string message;  // all of it for people, one line
};

template <class T>
using Switched = std::expected<T, SwitchFailure>;

// How a command ended.
struct Ended {
  bool by_signal = false;
  int code = 0;  // exit status, or the number of the signal
};

// The command that was started, or its init. Whoever lets go of it without having waited kills it.
class SwitchedChild {
 public:
  SwitchedChild(SwitchedChild&&) noexcept;
  SwitchedChild& operator=(SwitchedChild&&) noexcept;
  ~SwitchedChild();

  [[nodiscard]] pid_t pid() const;  // of the command; with a PID namespace, of its init
  [[nodiscard]] int pidfd() const;  // of the same; readable when it has ended
  bool signal(int number);          // to the command; with a PID namespace its init passes it on
  Switched<Ended> wait();
  Switched<std::optional<Ended>> try_wait();  // does not block
  void let_go();                              // neither killed nor waited for

 private:
  friend class RootSwitch;
  struct State;
  Switched<std::optional<Ended>> wait_with(int options);
  explicit SwitchedChild(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class RootSwitch {
 public:
  // Looks at the options and at the root; changes nothing. For `template`, makes what it keeps.
  static Switched<RootSwitch> make(SwitchOptions options);
  RootSwitch(RootSwitch&&) noexcept;
  RootSwitch& operator=(RootSwitch&&) noexcept;
  ~RootSwitch();

  Switched<SwitchedChild> start(const Command& command) const;

 private:
  struct State;
  explicit RootSwitch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "cap_sys_admin", "sys_admin" or "SYS_ADMIN" as a bit for dropped_capabilities, "all" as all of
// them.
std::optional<std::uint64_t> capability_bits(std::string_view name);

}  // namespace pivotcheck

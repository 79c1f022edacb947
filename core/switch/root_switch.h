// SPDX-License-Identifier: Apache-2.0
// root_switch.h: runs a command in a new root, by any of the strategies
// (switch/strategy/catalogue.h).
//
//     pivotcheck::SwitchOptions options;
//     options.new_root = "/srv/busybox";
//     options.mounts.push_back(pivotcheck::ProcAt{"/proc"});
//     options.pid_namespace = true;
//     auto root = pivotcheck::RootSwitch::make(options);  // checks the options and the root
//     if (!root) return complain(root.error().message);
//     auto child = root->start({.arguments = {"/bin/sh", "-c", "id"}});  // runs it
//     if (!child) return complain(child.error().message);
//     auto end = child->wait();
//
// Guarantees:
//   - Everything is done in a forked child, nothing in the caller's namespaces. start() returns
//     when the command was started or refused. A refusal leaves nothing: no process, no mount, no
//     directory, no descriptor.
//   - When the command starts, all descriptors from 3 on are closed, except `keep_descriptors`. If
//     0, 1 or 2 is a directory, the switch is refused, because it would lead out of the new root.
//   - make() opens the new root, and its name is never looked up again: start() enters the
//     directory that was checked, whatever has its name by then. A link that has come onto the way
//     to the source of a bind, or to a name at the root's top, is not followed: the switch is
//     refused. The root's filesystem is busy as long as the RootSwitch or a SwitchedChild lives.
//   - Targets of mounts, and `directory`, are paths in the new root; no link and no '..' leads out
//     of it.
//   - With `die_with_caller` the command is killed when the *thread* that called start() ends; in a
//     PID namespace of its own, with everything that it started.
//   - One RootSwitch may start many commands, in sequence or from several threads.
//
// If the caller ignores SIGCHLD, or reaps the child by a wait of its own, no exit status is known.
//
// The command inherits the caller's environment, signal mask, session, limits and control group.
// A new PID namespace has a small init of the library's own (switch/init/init.c says what it is
// worth): it reaps, and ends with the command. The command is a child of the caller all the same.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "strategy/catalogue.h"

namespace pivotcheck {

// --- options -------------------------------------------------------------------------------------

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
  bool read_only = false;     // the new root and what is mounted below it, but not `mounts`
  // Mounts of this switch stay mounted, and keep ro, nosuid, nodev and noexec, whatever the command
  // may do; SwitchedChild::not_locked() says where that was impossible. It takes a user namespace,
  // and is done where there is such a mount and the command keeps CAP_SYS_ADMIN. (Without it the
  // kernel locks them by itself, as soon as the command makes a user namespace to regain it.)
  bool lock_mounts = true;
  bool slave_mounts = false;  // later mounts of the host appear: dot-dot and template only

  bool user_namespace = false;
  std::vector<IdRange> uid_map;  // written directly if the kernel allows it (the caller's own id,
  std::vector<IdRange> gid_map;  // or with privileges), else through newuidmap and newgidmap
  bool pid_namespace = false;    // with an init that reaps
  bool mount_namespace = false;  // chroot only: the other strategies always have their own
  bool ipc_namespace = false;
  bool uts_namespace = false;
  bool net_namespace = false;
  bool cgroup_namespace = false;

  std::string hostname;         // of the UTS namespace; "": not set
  std::string directory = "/";  // where the command starts: a path in the new root
  bool new_session = false;     // setsid(2): the command can't type into a terminal (TIOCSTI); and a
                                // session keyring of its own (session-keyring(7))

  // What the command loses, in this order:
  std::uint64_t dropped_capabilities = 0;  // from every set; a bit for each, 1 << CAP_...
  bool no_new_privileges = false;
  // Loaded in this order; struct sock_filter, one for each number. At most 16, of 4,096 each and
  // 32,768 together. With pid_namespace its init gets them too, and needs ppoll, write, close,
  // exit_group; what executes a confined command needs fcntl as well.
  std::vector<std::vector<std::uint64_t>> seccomp_programs;

  // All that people expect of a sandbox: user, PID, IPC, UTS, network and control group namespaces,
  // this machine's id 0 never mapped (without maps: the caller's own ids, or 65534 for root), all
  // capabilities dropped, no_new_privileges, new_session, mounts locked, the new root nosuid and
  // nodev. No user namespace can be made inside. A filter refuses what no namespace closes: keys
  // (keyrings(7)), AF_VSOCK, TIOCSTI, CLONE_PARENT and clone3, calls of other architectures. Options
  // that would open something of it are refused, as is a switch for which any of it can't be had.
  // What stays: an ordinary user's supplementary groups (the kernel's rule), and descriptors, which
  // are permissions.
  bool confine = false;

  bool die_with_caller = true;
  std::vector<int> keep_descriptors;
};

struct Command {
  std::vector<std::string> arguments;  // [0] without a slash is searched in PATH, in the new root
  std::optional<std::vector<std::string>> environment;  // nullopt: the caller's
  std::optional<sigset_t> signal_mask;                  // nullopt: the caller's
};

// --- results -------------------------------------------------------------------------------------

struct SwitchFailure {
  enum class Kind : unsigned char {
    bad_options,     // the options contradict each other: nothing was tried
    refused,         // this root, these mounts or this caller: the kernel refused a step, or make()
                     // saw that it would
    not_executable,  // the root was switched, but the command can't be executed
    not_found,       // the root was switched, but the command is not there
  };
  Kind kind = Kind::refused;
  std::string step;     // "pivot_root . ."; "" if no step was reached
  int error = 0;        // its errno, 0 if there is none
  std::string rule;     // why the kernel refused, as `explain` names it; "" if unknown
  std::string message;  // all of this in one line
};

template <class T>
using Switched = std::expected<T, SwitchFailure>;

// How a command ended.
struct Ended {
  bool by_signal = false;
  int code = 0;  // exit status, or the number of the signal
};

// The command that was started. The destructor kills it, unless it has ended or
// let_go() was called.
class SwitchedChild {
 public:
  SwitchedChild(SwitchedChild&&) noexcept;
  SwitchedChild& operator=(SwitchedChild&&) noexcept;
  ~SwitchedChild();

  [[nodiscard]] pid_t pid() const;  // as the caller sees it
  [[nodiscard]] int pidfd() const;  // readable when it has ended
  bool signal(int number);
  Switched<Ended> wait();
  Switched<std::optional<Ended>> try_wait();  // does not block
  // The errno for which the mounts are not locked; 0 if they are, or need not be.
  [[nodiscard]] int not_locked() const;
  void let_go();                              // it runs on, and is not waited for

 private:
  friend class RootSwitch;
  struct State;
  Switched<std::optional<Ended>> wait_with(int options);
  explicit SwitchedChild(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class RootSwitch {
 public:
  // Checks the options and the root; changes nothing. For `template`, makes what it keeps.
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

// The bit of "cap_sys_admin", "sys_admin" or "SYS_ADMIN" in dropped_capabilities; of "all", all
// bits.
std::optional<std::uint64_t> capability_bits(std::string_view name);
std::span<const std::string_view> capability_names();  // "chown" ...: of bit 0, 1, ...

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// init_process.h: starts the init of a new PID namespace and brings it to where the command is: the
// library's side of init/protocol.h, which draws who says what. init/init.c is the other side, and
// says why init is a program of its own.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "switch/init/protocol.h"

namespace pivotcheck::rootswitch {

inline sock_fprog filter_of(const std::vector<std::uint64_t>& program) {
  static_assert(sizeof(sock_filter) == sizeof(program.front()));
  auto* const filter = const_cast<std::uint64_t*>(program.data());
  return {static_cast<unsigned short>(program.size()), reinterpret_cast<sock_filter*>(filter)};
}

// A memory file with the program, sealed: nobody can change it. Or an errno.
std::expected<UniqueFd, int> make_init_image();

struct InitRequest {
  int image = -1;
  int user_namespace = -1;  // the one that it enters first; -1: none
  init_orders orders{};     // start_init() fills in what follows from the other members
  std::span<const std::vector<std::uint64_t>> programs{};  // SwitchOptions::seccomp_programs
};

// Init has ended. `what` is INIT_NAMESPACES ... of the protocol; 0: without a word.
struct InitRefusal {
  int what = 0;
  int error = 0;  // errno; 0: killed, as a seccomp filter does
};

struct InitProcess {
  pid_t pid = -1;
  ino_t pid_namespace = 0;  // read while init shows it
  UniqueFd pidfd;
  UniqueFd channel;
};

// The number of its PID namespace; 0 if it does not show it. `pidfd` may be none.
ino_t pid_namespace_of(pid_t process, const UniqueFd& pidfd);

// Init has its namespaces, but takes no ids before it is released. The caller has all signals
// blocked.
std::expected<InitProcess, InitRefusal> start_init(InitRequest request);
// For an init that takes ids: they are mapped. Returns when it has taken them.
std::expected<void, InitRefusal> release_init(const InitProcess& init);

// For the command, before it drops anything itself: init moves to its root and namespaces and is
// confined. Allocates nothing.
std::expected<void, InitRefusal> bring_init_here(int channel);

}  // namespace pivotcheck::rootswitch

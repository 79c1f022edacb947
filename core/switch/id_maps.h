// SPDX-License-Identifier: Apache-2.0
// id_maps.h: the id maps of a child's new user namespace, written from outside while it waits
// (user_namespaces(7)): by this process if it may, else through newuidmap(1) and newgidmap(1),
// which ask /etc/subuid and /etc/subgid.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>

#include "switch/root_switch.h"

namespace pivotcheck::rootswitch {

struct MapTrouble {
  int error = 0;  // errno, 0 where it was the helper that said no
  std::string what;  // "" if all went well
};
// `mask`: the signal mask that helpers are started with.
MapTrouble write_id_maps(pid_t child, const SwitchOptions& options, const sigset_t& mask);

}  // namespace pivotcheck::rootswitch

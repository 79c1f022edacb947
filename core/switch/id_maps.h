// SPDX-License-Identifier: Apache-2.0
// id_maps.h: the id maps of a child's new user namespace, written from outside while it waits
// (user_namespaces(7)): by this process if it may, else through newuidmap(1) and newgidmap(1),
// which ask /etc/subuid and /etc/subgid.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <optional>

#include "switch/root_switch.h"

namespace pivotcheck::rootswitch {

// `mask`: the signal mask that helpers are started with. Nothing if both maps are written.
std::optional<SwitchFailure> write_id_maps(pid_t child, const SwitchOptions& options,
                                           const sigset_t& mask);

}  // namespace pivotcheck::rootswitch

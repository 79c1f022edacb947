// SPDX-License-Identifier: Apache-2.0
// offline.h: a ProcessView from the text of a mountinfo, as a bug report quotes it. The text is
// assumed to be from the root of the mount namespace. Of paths only the text is known, so every
// directory is assumed to exist, and no name to be a symbolic link.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "explain/process_view.h"

namespace pivotcheck::explain {

struct OfflineQuestion {
  std::string root = "/";              // of the process, as the text has paths
  std::string current_directory = "";  // "" for its root
  Capabilities capabilities{Capability::sys_admin, Capability::sys_chroot, Capability::dac};
  KernelTraits traits = {};
  std::string new_root = "";
  std::string put_old = "";
};

// The error is a line for people.
std::expected<ProcessView, std::string> view_mountinfo(std::string_view mountinfo,
                                                       const OfflineQuestion& query);

}  // namespace pivotcheck::explain

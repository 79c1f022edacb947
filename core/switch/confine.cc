// SPDX-License-Identifier: Apache-2.0
// confine.cc: see confine.h.
#include "switch/confine.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace pivotcheck::rootswitch {
namespace {

constexpr std::uint32_t nobody = 65534;  // the user and the group that Debian gives no file

// Is the caller's id 0 the machine's? In a user namespace it may be anybody's (user_namespaces(7),
// "User and group ID mappings"). `file`: uid_map or gid_map.
bool is_machines(const char* file) {
  std::ifstream lines(std::string("/proc/self/") + file);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (lines >> inside >> outside >> count) {
    if (inside == 0) return outside == 0;
  }
  return true;  // nothing is known
}

// The caller's own id, but nobody's instead of the machine's 0.
std::vector<IdRange> own_id(std::uint32_t id, const char* file) {
  const std::uint32_t outside = id == 0 && is_machines(file) ? nobody : id;
  return {{.inside = id == 0 ? nobody : id, .outside = outside, .count = 1}};
}

bool maps_root(const std::vector<IdRange>& map, const char* file) {
  const auto has_root = [](const IdRange& range) { return range.outside == 0; };
  return std::ranges::any_of(map, has_root) && is_machines(file);
}

bool is_directory(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

// What contradicts it; "" for nothing.
std::string contradiction(const SwitchOptions& options) {
  if (options.strategy == Strategy::chroot || options.strategy == Strategy::move_chroot) {
    return "the strategy " + std::string(info(options.strategy).name) +
           ", which leaves the old root within reach";
  }
  if (maps_root(options.uid_map, "uid_map") || maps_root(options.gid_map, "gid_map")) {
    return "a map of this machine's id 0";
  }
  if (!options.lock_mounts) return "mounts that are not locked";
  for (const MountAt& mount : options.mounts) {
    const auto* proc = std::get_if<ProcAt>(&mount);
    if (proc != nullptr && proc->open) return "a /proc that hides nothing";
    const auto* bind = std::get_if<BindAt>(&mount);
    if (bind != nullptr && (bind->suid || bind->dev)) {
      return "set-user-ID programs or devices on " + bind->target;
    }
  }
  const auto directory = std::ranges::find_if(options.keep_descriptors, is_directory);
  if (directory == options.keep_descriptors.end()) return "";
  return "descriptor " + std::to_string(*directory) + ", a directory";
}

}  // namespace

Switched<SwitchOptions> with_confinement(SwitchOptions options) {
  if (!options.confine) return options;
  if (const std::string what = contradiction(options); !what.empty()) {
    return std::unexpected(SwitchFailure{SwitchFailure::Kind::bad_options, "", 0, "",
                                         "confinement excludes " + what});
  }
  for (bool SwitchOptions::*const each :
       {&SwitchOptions::user_namespace, &SwitchOptions::pid_namespace,
        &SwitchOptions::ipc_namespace, &SwitchOptions::uts_namespace,
        &SwitchOptions::net_namespace, &SwitchOptions::cgroup_namespace,
        &SwitchOptions::no_new_privileges, &SwitchOptions::new_session}) {
    options.*each = true;
  }
  if (options.uid_map.empty()) options.uid_map = own_id(::geteuid(), "uid_map");
  if (options.gid_map.empty()) options.gid_map = own_id(::getegid(), "gid_map");
  options.dropped_capabilities = ~std::uint64_t{0};
  return options;
}

}  // namespace pivotcheck::rootswitch

// SPDX-License-Identifier: Apache-2.0
// id_maps.cc: see id_maps.h.
#include "switch/id_maps.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "switch/refusal.h"
#include "syscalls/id_maps.h"

extern char** environ;  // NOLINT: POSIX wants it declared by whoever uses it

namespace pivotcheck::rootswitch {
namespace {

using Failed = std::optional<SwitchFailure>;

Failed failed(int error, const std::string& what) {
  return SwitchFailure{SwitchFailure::Kind::refused, "id maps", error, "", "id maps: " + what};
}

std::string lines(const std::vector<IdRange>& map) {
  std::string text;
  for (const IdRange& range : map) {
    text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " +
            std::to_string(range.count) + "\n";
  }
  return text;
}

// Runs newuidmap or newgidmap; what it prints is left out, as what went wrong is told in one line.
Failed run_helper(const char* helper, pid_t child, const std::vector<IdRange>& map,
                      const sigset_t& mask) {
  std::vector<std::string> words{helper, std::to_string(child)};
  for (const IdRange& range : map) {
    for (const std::uint32_t number : {range.inside, range.outside, range.count}) {
      words.push_back(std::to_string(number));
    }
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigmask(&attributes, &mask);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, helper, &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  const std::string name = helper;
  if (error == ENOENT) return failed(error, name + " is not installed (package uidmap)");
  if (error != 0) return failed(error, name + ": " + error_text(error));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const char* file = helper[3] == 'u' ? "/etc/subuid" : "/etc/subgid";
  return failed(EPERM, name + " refuses this map: are these ids in " + file + "?");
}

bool is_own_id_alone(const std::vector<IdRange>& map, std::uint32_t own) {
  return map.size() == 1 && map[0].count == 1 && map[0].outside == own;
}

Failed write_file(pid_t child, const char* file, const std::string& text) {
  const kernel::ProcEntry process{.pid = child};
  const int error = kernel::write_proc_file(process, file, text);
  if (error == 0) return {};
  return failed(error, "writing " + process.path(file) + ": " + error_text(error));
}

Failed write_map(const char* file, const char* helper, pid_t child,
                 const std::vector<IdRange>& map, const sigset_t& mask) {
  Failed failure = write_file(child, file, lines(map));
  if (failure && failure->error == EPERM) return run_helper(helper, child, map, mask);
  return failure;
}

}  // namespace

Failed write_id_maps(pid_t child, const SwitchOptions& options, const sigset_t& mask) {
  if (Failed failure = write_map("uid_map", "newuidmap", child, options.uid_map, mask)) {
    return failure;
  }
  // Without CAP_SETGID the kernel takes a map of one's own group only if setgroups is denied
  // (user_namespaces(7), CVE-2014-8989). A caller with uid 0 keeps setgroups.
  if (is_own_id_alone(options.gid_map, ::getegid()) && ::geteuid() != 0) {
    if (Failed failure = write_file(child, "setgroups", "deny")) return failure;
  }
  return write_map("gid_map", "newgidmap", child, options.gid_map, mask);
}

}  // namespace pivotcheck::rootswitch

// SPDX-License-Identifier: Apache-2.0
// id_maps.cc: see id_maps.h.
#include "switch/id_maps.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "switch/refusal.h"

extern char** environ;  // NOLINT: POSIX wants it declared by whoever uses it

namespace pivotcheck::rootswitch {
namespace {

// A file of the child's in /proc.
class ProcFile {
 public:
  ProcFile(pid_t child, const char* name) {
    std::snprintf(path_.data(), path_.size(), "/proc/%d/%s", child, name);
  }
  [[nodiscard]] const char* path() const { return path_.data(); }

 private:
  std::array<char, 48> path_{};
};

int write_file(const ProcFile& at, const std::string& text) {
  const UniqueFd file(::open(at.path(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  const ssize_t size = ::write(file.get(), text.data(), text.size());
  return size == static_cast<ssize_t>(text.size()) ? 0 : errno;
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
MapTrouble run_helper(const char* helper, pid_t child, const std::vector<IdRange>& map,
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
  if (error == ENOENT) return {error, std::string(helper) + " is not installed (package uidmap)"};
  if (error != 0) return {error, std::string(helper) + ": " + error_text(error)};
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const char* file = helper[3] == 'u' ? "/etc/subuid" : "/etc/subgid";
  return {EPERM, std::string(helper) + " refuses this map: are these ids in " + file + "?"};
}

bool is_own_id_alone(const std::vector<IdRange>& map, std::uint32_t own) {
  return map.size() == 1 && map[0].count == 1 && map[0].outside == own;
}

MapTrouble trouble_writing(const ProcFile& file, int error) {
  return {error, std::string("writing ") + file.path() + ": " + error_text(error)};
}

MapTrouble write_map(const char* name, const char* helper, pid_t child,
                     const std::vector<IdRange>& map, const sigset_t& mask) {
  const ProcFile file(child, name);
  const int error = write_file(file, lines(map));
  if (error == 0) return {};
  if (error != EPERM) return trouble_writing(file, error);
  return run_helper(helper, child, map, mask);
}

}  // namespace

MapTrouble write_id_maps(pid_t child, const SwitchOptions& options, const sigset_t& mask) {
  MapTrouble trouble = write_map("uid_map", "newuidmap", child, options.uid_map, mask);
  if (!trouble.what.empty()) return trouble;
  // Without CAP_SETGID the map of one's own group is allowed only where groups can't be given up
  // (user_namespaces(7), CVE-2014-8989); whoever has it is not asked, and keeps setgroups.
  if (is_own_id_alone(options.gid_map, ::getegid()) && ::geteuid() != 0) {
    const ProcFile file(child, "setgroups");
    const int error = write_file(file, "deny");
    if (error != 0) return trouble_writing(file, error);
  }
  return write_map("gid_map", "newgidmap", child, options.gid_map, mask);
}

}  // namespace pivotcheck::rootswitch

// SPDX-License-Identifier: Apache-2.0
// processes.h: the processes below this one, from /proc, and a command that is started to be
// watched.
//
//     this process: the reaper of all orphans below it (PR_SET_CHILD_SUBREAPER)
//       `-- the command                      parent       may have forked itself: workers
//             `-- worker                     worker
//                   `-- executor             executor     pid 1 of a PID namespace of its own
//                         `-- task           task
//
// A process that loses its parent becomes a child of this one. So the processes below this one are
// exactly those that the command has started and that still exist.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pivotcheck::safety {

enum class Role : unsigned char { parent, worker, executor, task };
inline constexpr std::size_t roles_count = 4;
std::string_view name(Role role);

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  Role role = Role::worker;
  char state = '?';  // 'Z': it has ended, and only its status is left
  std::uint64_t resident_kib = 0;  // without what it shares with files
};

// All below this process. `command` is the one that has Role::parent.
std::vector<Process> processes_below(pid_t command);

// Once, before anything is started.
void become_the_reaper();
// Waits for every child that has ended, except `spared`: another function waits for that one.
void reap_orphans(pid_t spared);

struct Command {
  std::vector<std::string> words;
  std::string
      folder;  // its current directory; `out`, `err` and the folder `tmp` (TMPDIR) are there
};
pid_t start(const Command& command);
// Its wait status; nullopt if it has not ended within that time. Reaps orphans meanwhile.
std::optional<int> wait_for(pid_t command, int limit_ms);
bool exited_with(const std::optional<int>& wait_status, int status);

void sleep_us(std::uint64_t duration_us);

}  // namespace pivotcheck::safety

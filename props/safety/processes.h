// SPDX-License-Identifier: Apache-2.0
// processes.h: the processes below this one, as /proc has them, and a command started to be
// watched.
//
//     this process: the reaper of all orphans below it (PR_SET_CHILD_SUBREAPER)
//       `-- the command                      parent       may have forked itself: workers
//             `-- worker                     worker
//                   `-- executor             executor     pid 1 of a PID namespace of its own
//                         `-- task           task
//
// Whoever loses its parent becomes a child of this process. So what is below this process is all
// that the command has started and that is not gone, and nothing else is.
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
  std::uint64_t resident_kib = 0;  // of its own: what it shares with files is not in it
};

// All that is below this process. `command`: who counts as the parent.
std::vector<Process> processes_below(pid_t command);

// Once, before anything is started.
void become_the_reaper();
// Takes the status of every child that has ended but of `spared`, whose status somebody waits for.
void reap_orphans(pid_t spared);

struct Command {
  std::vector<std::string> words;
  std::string folder;  // its current directory; `out`, `err` and the folder `tmp` (TMPDIR) are there
};
pid_t start(const Command& command);
// Its wait status, if it has ended within that time. Orphans are reaped meanwhile.
std::optional<int> wait_for(pid_t command, int limit_ms);

void sleep_us(std::uint64_t duration_us);
std::int64_t now_ms();  // of the monotonic clock
std::string read_file(const std::string& path);  // "" where that can't be read

}  // namespace pivotcheck::safety

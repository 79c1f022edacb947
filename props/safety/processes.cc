// SPDX-License-Identifier: Apache-2.0
// processes.cc: reads /proc, and starts commands.
#include "processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/file.h"

namespace pivotcheck::safety {
namespace {

// The words after "NAME:" in /proc/PID/status.
std::vector<std::string> status_words(const std::string& status, std::string_view name) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream words(line.substr(name.size()));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

pid_t number_of(const std::vector<std::string>& words) {
  return words.empty() ? 0 : std::atoi(words.front().c_str());
}

std::string status_of(const std::string& pid) { return read_file("/proc/" + pid + "/status"); }

std::optional<Process> look_at(const std::string& pid, std::size_t own_depth) {
  const std::string status = status_of(pid);
  const std::vector<std::string> state = status_words(status, "State:");
  if (state.empty()) return std::nullopt;  // it is gone by now
  Process process;
  process.pid = std::atoi(pid.c_str());
  process.parent = number_of(status_words(status, "PPid:"));
  process.state = state.front().front();
  process.resident_kib = static_cast<std::uint64_t>(number_of(status_words(status, "RssAnon:")));
  const std::vector<std::string> pids = status_words(status, "NSpid:");  // outermost first
  if (pids.size() > own_depth) process.role = pids.back() == "1" ? Role::executor : Role::task;
  return process;
}

std::vector<Process> all_processes() {
  const std::size_t own_depth = status_words(status_of("self"), "NSpid:").size();
  std::vector<Process> all;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return all;
  while (const dirent* entry = ::readdir(proc)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (auto process = look_at(entry->d_name, own_depth)) all.push_back(*process);
  }
  ::closedir(proc);
  return all;
}

[[noreturn]] void become(const Command& command) {
  ::signal(SIGPIPE, SIG_DFL);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // if this test ends before it should
  ::setpgid(0, 0);
  const std::string tmp = command.folder + "/tmp";
  ::mkdir(tmp.c_str(), 0700);
  ::setenv("TMPDIR", tmp.c_str(), 1);
  const int none = ::open("/dev/null", O_RDONLY);
  if (::chdir(command.folder.c_str()) != 0) ::_exit(127);
  const int out = ::open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err = ::open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (::dup2(none, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) ::_exit(127);
  std::vector<char*> words;
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(words.front(), words.data());
  ::_exit(127);
}

}  // namespace

std::string_view name(Role role) {
  switch (role) {
    case Role::parent: return "parent";
    case Role::worker: return "worker";
    case Role::executor: return "executor";
    case Role::task: return "task";
  }
  return "";
}

std::vector<Process> processes_below(pid_t command) {
  const std::vector<Process> all = all_processes();
  std::vector<Process> below;
  std::vector<pid_t> ancestors{::getpid()};
  for (std::size_t i = 0; i < ancestors.size(); ++i) {
    for (Process process : all) {
      if (process.parent != ancestors[i]) continue;
      if (process.pid == command) process.role = Role::parent;
      ancestors.push_back(process.pid);
      below.push_back(process);
    }
  }
  return below;
}

void become_the_reaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    std::perror("prctl PR_SET_CHILD_SUBREAPER");
    std::exit(3);
  }
}

void reap_orphans(pid_t spared) {
  siginfo_t info{};
  for (const Process& process : processes_below(spared)) {
    if (process.pid == spared || process.parent != ::getpid() || process.state != 'Z') continue;
    ::waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED | WNOHANG | __WALL);
  }
}

pid_t start(const Command& command) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) {
    std::perror("fork");
    std::exit(3);
  }
  if (pid == 0) become(command);
  return pid;
}

std::optional<int> wait_for(pid_t command, int limit_ms) {
  const std::int64_t end_ms = now_ms() + limit_ms;
  for (;;) {
    int status = 0;
    if (::waitpid(command, &status, WNOHANG) == command) return status;
    if (now_ms() > end_ms) return std::nullopt;
    reap_orphans(command);
    sleep_us(5000);
  }
}

bool exited_with(const std::optional<int>& wait_status, int status) {
  return wait_status && WIFEXITED(*wait_status) && WEXITSTATUS(*wait_status) == status;
}

void sleep_us(std::uint64_t duration_us) {
  std::this_thread::sleep_for(std::chrono::microseconds(duration_us));
}

}  // namespace pivotcheck::safety

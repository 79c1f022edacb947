// SPDX-License-Identifier: Apache-2.0
// hang.cc: a world in which nothing happens any more. For its owner, an executor that has got
// SIGSTOP is like one whose system call never returns: no answer comes, and the process exists.
//
//     explore, many cases  -->  one executor stops  -->  the deadline of that case passes
//                               its case: one line, one file, not run; all others: run; status 3
//
// With --unkillable this test traces a task of that executor. A killed task stays until its tracer
// detaches, and so do its PID namespace and the executor.
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "processes.h"
#include "tests.h"
#include "traces.h"

namespace pivotcheck::safety {
namespace {

constexpr int begin_limit_ms = 20'000;
constexpr int end_limit_ms = 180'000;

std::size_t count_of(const std::string& text, std::string_view words) {
  std::size_t count = 0;
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    ++count;
  }
  return count;
}

class Hang {
 public:
  explicit Hang(const Options& options) : options_(options), traces_(folder_.path()) {}

  bool all() {
    const std::string cases = std::to_string(options_.count);
    command_ = start({.words = {options_.pivotcheck, "explore", "--cases", cases, "--jobs", "2",
                                "--seed", std::to_string(options_.seed)},
                      .folder = folder_.path()});
    if (!(options_.unkillable ? hold_a_task() : true) || !stop_an_executor()) {
      ::kill(command_, SIGKILL);
      wait_for(command_, end_limit_ms);
      return false;
    }
    const std::optional<int> status = wait_for(command_, end_limit_ms);
    let_go();
    require(exited_with(status, 3), "the exit status is not 3");
    check_messages();
    check_file();
    good_ = traces_.nothing_left() && good_;
    if (good_) {
      fmt::print("one of {} cases hung{}: one line, one file, all the others ran, exit status 3\n",
                 options_.count, options_.unkillable ? ", in a process that can't be killed" : "");
    } else {
      fmt::print("--- its output\n{}--- its messages\n{}", read_file(folder_.path() + "/out"),
                 read_file(folder_.path() + "/err"));
    }
    return good_;
  }

 private:
  void require(bool holds, std::string_view words) {
    if (!holds) fmt::print("{}\n", words);
    good_ = good_ && holds;
  }

  // The executor of the held task, or any.
  bool stop_an_executor() {
    for (const std::int64_t end_ms = now_ms() + begin_limit_ms; now_ms() < end_ms;) {
      for (const Process& process : processes_below(command_)) {
        const bool wanted = process.role == Role::executor && process.state != 'Z' &&
                            (held_executor_ == 0 || process.pid == held_executor_) &&
                            is_of_a_worker(process);
        if (!wanted) continue;
        traces_.note_namespaces(process.pid);
        if (::kill(process.pid, SIGSTOP) == 0) return true;
      }
      sleep_us(1000);
    }
    fmt::print("there was no executor to stop\n");
    return false;
  }

  // The parent has executors of its own for a moment, to see whether anything can run.
  [[nodiscard]] bool is_of_a_worker(const Process& executor) const {
    return executor.parent != command_ && executor.parent != ::getpid();
  }

  bool hold_a_task() {
    for (const std::int64_t end_ms = now_ms() + begin_limit_ms; now_ms() < end_ms;) {
      for (const Process& process : processes_below(command_)) {
        if (process.role != Role::task || process.state == 'Z') continue;
        if (::ptrace(PTRACE_SEIZE, process.pid, nullptr, nullptr) != 0) continue;
        held_ = process.pid;
        held_executor_ = process.parent;
        return true;
      }
    }
    fmt::print("there was no task to hold\n");
    return false;
  }

  void let_go() {
    if (held_ == 0) return;
    int status = 0;
    while (::waitpid(held_, &status, __WALL) == held_ && WIFSTOPPED(status)) {
      ::ptrace(PTRACE_DETACH, held_, nullptr, nullptr);
    }
  }

  void check_messages() {
    const std::string words = read_file(folder_.path() + "/err");
    const std::string summary = read_file(folder_.path() + "/out");
    require(count_of(words, "did not answer within") == 1, "there is not one line for the hang");
    require(summary.contains("\nnot_run: 1\n"), "not just one case was not run");
    require(summary.contains(fmt::format("\ncases: {}\n", options_.count - 1)) ||
                summary.starts_with(fmt::format("cases: {}\n", options_.count - 1)),
            "others were lost");
    require(summary.contains("\ndisagreements: 0\n"), "there is a disagreement");
  }

  // What hung is kept, and can be tried again.
  void check_file() {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_.path() + "/artifacts", error)) {
      files.push_back(entry.path().string());
    }
    require(files.size() == 1, "there is not one file");
    if (files.size() != 1) return;
    const pid_t again =
        start({.words = {options_.pivotcheck, "run", files.front()}, .folder = again_.path()});
    const std::optional<int> status = wait_for(again, end_limit_ms);
    require(exited_with(status, 0),
            "the file does not run, though nothing hangs now");
  }

  const Options& options_;
  Folder folder_;
  Folder again_;
  Traces traces_;
  pid_t command_ = 0;
  pid_t held_ = 0;
  pid_t held_executor_ = 0;
  bool good_ = true;
};

}  // namespace

bool hang(const Options& options) { return Hang(options).all(); }

}  // namespace pivotcheck::safety

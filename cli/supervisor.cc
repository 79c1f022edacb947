// SPDX-License-Identifier: Apache-2.0
// supervisor.cc: forking, waiting and killing.
#include "supervisor.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/wait_status.h"
#include "interruption.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

constexpr std::int64_t hang_ms = 120'000;  // longer than any deadline in a case, or minimizing
constexpr int losses_max = 20;  // a harness that loses more than these is not worth running

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Expected<ChildProcess> ChildProcess::start(const std::function<void()>& body) {
  flush();
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  ChildProcess child;
  child.pid_ = ::fork();
  if (child.pid_ < 0) return fail("fork: " + errno_name(errno));
  if (child.pid_ > 0) return child;
  ignore_interruptions();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    if (::getppid() == parent) body();
  } catch (const std::exception& error) {  // must not unwind what the parent owns
    std::fprintf(stderr, "pivotcheck: %s\n", error.what());
    ::_exit(static_cast<int>(ExitStatus::harness));
  }
  std::fflush(nullptr);
  ::_exit(0);
}

std::optional<ChildProcess::End> ChildProcess::reap(int options) {
  End end;
  rusage usage{};
  if (pid_ < 0 || ::wait4(pid_, &end.wait_status, options, &usage) != pid_) return std::nullopt;
  pid_ = -1;
  end.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  return end;
}

std::optional<ChildProcess::End> ChildProcess::poll() { return reap(WNOHANG); }

ChildProcess::End ChildProcess::wait() {
  while (pid_ > 0) {
    if (const auto end = reap(0)) return *end;
    if (errno != EINTR) break;
  }
  return {};
}

ChildProcess::End ChildProcess::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  return wait();
}

ChildProcess::End ChildProcess::wait_until(std::int64_t deadline_ms) {
  while (now_ms() <= deadline_ms && !must_end_at_once()) {
    if (const auto end = poll()) return *end;
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 5'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return kill();
}

void redirect(int from, int to) {
  if (::dup2(from, to) < 0) ::_exit(127);
}

void Supervisor::start_all() {
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (!start(i)) return;
  }
}

bool Supervisor::start(std::size_t i) {
  *callbacks_.alive_ms(i) = now_ms();
  ++started_;
  auto child = ChildProcess::start([&] { callbacks_.run(i); });
  if (!child) {
    callbacks_.failed(child.error().what);
    return false;
  }
  processes_[i] = std::move(*child);
  return true;
}

bool Supervisor::poll() {
  bool any = false;
  for (std::size_t i = 0; i < processes_.size(); ++i) any = poll(i) || any;
  return any;
}

// False if the process is not running, and not started again.
bool Supervisor::poll(std::size_t i) {
  ChildProcess& process = processes_[i];
  if (process.pid() < 0) return false;
  const bool hangs = now_ms() - *callbacks_.alive_ms(i) > hang_ms;
  const auto end = hangs ? std::optional(process.kill()) : process.poll();
  if (!end) return true;
  cpu_seconds_ += end->cpu_seconds;
  if (end->wait_status == 0 && (callbacks_.may_finish || stop_)) return false;
  callbacks_.lost(i, hangs ? fmt::format("hung for {} s", hang_ms / 1000)
                           : describe_wait_status(end->wait_status));
  if (stop_ || ++losses_ > losses_max) return false;
  return start(i);
}

void Supervisor::kill_rest(const std::string& how) {
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].pid() < 0) continue;
    cpu_seconds_ += processes_[i].kill().cpu_seconds;
    callbacks_.lost(i, how);
  }
}

}  // namespace pivotcheck::cli

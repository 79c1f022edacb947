// SPDX-License-Identifier: Apache-2.0
// kernel_driver.cc: the owner's side of a KernelDriver: starting the executor, sending it orders, the
// deadline, and ending it whatever state it is in.
#include "check/driver/kernel_driver.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/check.h"
#include "check/driver/cast.h"
#include "check/driver/executor.h"
#include "check/driver/frame.h"
#include "syscalls/syscalls.h"

namespace pivotcheck {
namespace {

using kernel::Cast;
using kernel::Deadline;
using kernel::IoStatus;
using kernel::receive_frame;
using kernel::Report;
using kernel::send_frame;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Setting an executor up takes about a millisecond; copying a large mount table, some more.
constexpr milliseconds start_limit{20'000};
// A killed executor takes its whole PID namespace along; the kernel reaps that first.
constexpr int end_limit_ms = 20'000;

std::string how_it_ended(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "it exited with " + std::to_string(info.si_status);
  if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
    return "signal " + std::to_string(info.si_status);
  }
  return "its status is not known";
}

// Which tasks are alive, and with which handles, follows from the steps and their outcomes.
std::vector<LiveTask> live_tasks(std::span<const Step> steps, const Cast& cast,
                                 const Report& report) {
  std::vector<LiveTask> all(cast.names.size());
  std::vector<bool> alive(cast.names.size(), false);
  alive[0] = true;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    if (!report.outcomes[i].ok()) continue;
    const auto performer = static_cast<std::size_t>(cast.performer[i]);
    auto& handles = all[performer].handles;
    if (const HandleName* opened = opened_handle(steps[i].op)) {
      std::erase_if(handles, [&](const auto& each) { return each.first == opened->text; });
      handles.emplace_back(opened->text, report.details[i]);
    } else if (const auto* close = std::get_if<Close>(&steps[i].op)) {
      std::erase_if(handles, [&](const auto& each) { return each.first == close->handle.text; });
    } else if (std::holds_alternative<Spawn>(steps[i].op)) {
      const auto spawned = static_cast<std::size_t>(cast.subject[i]);
      all[spawned].handles = handles;
      alive[spawned] = true;
    } else if (std::holds_alternative<Exit>(steps[i].op)) {
      alive[performer] = false;
    }
  }
  std::vector<LiveTask> living;
  for (std::size_t number = 0; number < all.size(); ++number) {
    if (!alive[number]) continue;
    all[number].name = cast.names[number];
    all[number].pid = report.pids[number];
    living.push_back(std::move(all[number]));
  }
  return living;
}

}  // namespace

struct KernelDriver::Impl {
  explicit Impl(Privilege its_privilege) : privilege(its_privilege) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { end(); }

  Expected<void> start();
  Expected<Report> exchange(const kernel::Bytes& order, milliseconds limit);
  // Kills the executor and reaps it. How it ended, in words; "" if there was none.
  std::string end();
  std::unexpected<Failure> give_up(IoStatus passage, milliseconds limit);

  [[nodiscard]] bool is_running() const { return executor.pid > 0; }

  Privilege privilege;
  pid_t owner = ::getpid();
  kernel::Executor executor;
};

Expected<void> KernelDriver::Impl::start() {
  Expected<kernel::Executor> launched = kernel::launch_executor(privilege);
  if (!launched) return std::unexpected(std::move(launched.error()));
  executor = std::move(*launched);
  kernel::Bytes body;
  const IoStatus passage =
      receive_frame(executor.socket.get(), body, steady_clock::now() + start_limit);
  if (passage != IoStatus::ok) return give_up(passage, start_limit);
  Report report;
  if (!decode(body, report)) report.failure = "a report that can't be read";
  if (report.failure.empty()) return {};
  end();
  return fail("the executor can't set up its world: " + report.failure,
              Failure::Kind::cannot_run);
}

Expected<Report> KernelDriver::Impl::exchange(const kernel::Bytes& order, milliseconds limit) {
  const Deadline deadline = steady_clock::now() + limit;
  const int socket = executor.socket.get();
  kernel::Bytes body;
  IoStatus passage = send_frame(socket, order, deadline);
  if (passage == IoStatus::ok) passage = receive_frame(socket, body, deadline);
  if (passage != IoStatus::ok) return give_up(passage, limit);
  Report report;
  if (!decode(body, report)) report.failure = "a report that can't be read";
  if (report.failure.empty()) return report;
  end();
  return fail("the executor gave up: " + report.failure);
}

std::unexpected<Failure> KernelDriver::Impl::give_up(IoStatus passage, milliseconds limit) {
  const std::string how = end();
  if (passage == IoStatus::closed) return fail("the executor died: " + how);
  return fail("the executor did not answer within " + std::to_string(limit.count()) + " ms",
              Failure::Kind::deadline);
}

std::string KernelDriver::Impl::end() {
  kernel::Executor ending = std::exchange(executor, {});
  if (ending.pid <= 0) return "";
  if (::getpid() != owner) return "";  // a fork of the owner has a copy of this, and no say
  // Had it ended of itself, the signal reaches a zombie and changes nothing of its status.
  kernel::sys_pidfd_send_signal(ending.pidfd.get(), SIGKILL);
  pollfd ended{.fd = ending.pidfd.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&ended, 1, end_limit_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return "it can't be killed";
  siginfo_t info{};
  const auto id = static_cast<id_t>(ending.pidfd.get());
  if (::waitid(P_PIDFD, id, &info, WEXITED) != 0) return "somebody else reaped it";
  return how_it_ended(info);
}

KernelDriver::KernelDriver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelDriver::KernelDriver(KernelDriver&&) noexcept = default;
KernelDriver& KernelDriver::operator=(KernelDriver&&) noexcept = default;
KernelDriver::~KernelDriver() = default;

Expected<KernelDriver> KernelDriver::start(Privilege privilege) {
  auto impl = std::make_unique<Impl>(privilege);
  if (Expected<void> started = impl->start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return KernelDriver(std::move(impl));
}

Expected<ExecutionResult> KernelDriver::perform(std::span<const Step> steps,
                                          std::span<const Outcome> predicted,
                                          std::chrono::milliseconds limit) {
  PIVOTCHECK_CHECK(predicted.empty() || predicted.size() == steps.size());
  if (::getpid() != impl_->owner) return fail("the Laboratory belongs to another process");
  const Expected<Cast> cast = kernel::make_cast(steps);
  if (!cast) return std::unexpected(cast.error());
  if (!impl_->is_running()) {
    if (Expected<void> started = impl_->start(); !started) {
      return std::unexpected(std::move(started.error()));
    }
  }
  Expected<Report> report = impl_->exchange(kernel::encode(steps, predicted), limit);
  if (!report) return std::unexpected(std::move(report.error()));
  return ExecutionResult{.outcomes = report->outcomes, .tasks = live_tasks(steps, *cast, *report)};
}

}  // namespace pivotcheck

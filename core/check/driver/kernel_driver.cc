// SPDX-License-Identifier: Apache-2.0
// kernel_driver.cc: the owner's side of a KernelDriver: starting the executor, sending it requests,
// the deadline, and ending it whatever state it is in.
#include "check/driver/kernel_driver.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <utility>

#include "base/check.h"
#include "check/driver/executor.h"
#include "check/driver/wire.h"
#include "syscalls/syscalls.h"

namespace pivotcheck {
namespace {

using kernel::Deadline;
using kernel::IoStatus;
using kernel::Progress;
using kernel::receive_frame;
using kernel::send_frame;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Setting an executor up takes about a millisecond; copying a large mount table, some more.
constexpr milliseconds start_limit{20'000};
// With an executor its whole PID namespace is killed, and the kernel reaps that first.
constexpr int end_limit_ms = 20'000;

std::string how_it_ended(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "it exited with " + std::to_string(info.si_status);
  if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
    return "signal " + std::to_string(info.si_status);
  }
  return "its status is not known";
}

// Which tasks are alive, and with which handles: follows from the steps and their outcomes.
class TaskTable {
 public:
  explicit TaskTable(const Program& program) : program_(program), tasks_(program.tasks.size()) {
    tasks_[0].alive = true;
  }

  void add(std::size_t index, Outcome outcome, int descriptor) {
    if (!outcome.ok()) return;
    const ProgramStep& step = program_.steps[index];
    Entry& performer = tasks_[static_cast<std::size_t>(step.task)];
    switch (effect_of(step.op)) {
      case Effect::makes_task: tasks_[static_cast<std::size_t>(step.subject)] = performer; break;
      case Effect::ends_task: performer.alive = false; break;
      case Effect::opens_handle:
        performer.handles[opened_handle(step.op)->slot] = descriptor;
        break;
      case Effect::closes_handle:
        performer.handles.erase(std::get<Close>(step.op).handle.slot);
        break;
      case Effect::none:
      case Effect::makes_user_namespace:
      case Effect::changes_credentials: break;
    }
  }

  [[nodiscard]] std::vector<LiveTask> alive(const std::vector<pid_t>& pids) const {
    std::vector<LiveTask> result;
    for (std::size_t number = 0; number < tasks_.size(); ++number) {
      if (!tasks_[number].alive) continue;
      LiveTask& task = result.emplace_back();
      task.name = program_.tasks[number];
      task.pid = pids[number];
      for (const auto& [slot, descriptor] : tasks_[number].handles) {
        task.handles.emplace_back(program_.handles[static_cast<std::size_t>(slot)], descriptor);
      }
    }
    return result;
  }

 private:
  struct Entry {
    bool alive = false;
    std::map<int, int> handles;  // descriptors by slot
  };
  const Program& program_;
  std::vector<Entry> tasks_;
};

}  // namespace

struct KernelDriver::Impl {
  explicit Impl(Privilege its_privilege) : privilege(its_privilege) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { end(); }

  Expected<void> start();
  // Sends a frame and receives the executor's Progress. After a Failure the executor has ended.
  Expected<Progress> exchange(const kernel::Bytes& body, milliseconds limit);
  Expected<Progress> receive(Deadline deadline, milliseconds limit);
  // Kills the executor and reaps it. How it ended, as a text; "" if there was none.
  std::string end();
  std::unexpected<Failure> give_up(IoStatus status, milliseconds limit);

  [[nodiscard]] bool is_running() const { return executor.pid > 0; }

  Privilege privilege;
  pid_t owner = ::getpid();
  kernel::Executor executor;
};

Expected<void> KernelDriver::Impl::start() {
  Expected<kernel::Executor> launched = kernel::launch_executor(privilege);
  if (!launched) return std::unexpected(std::move(launched.error()));
  executor = std::move(*launched);
  const Expected<Progress> ready = receive(steady_clock::now() + start_limit, start_limit);
  if (ready) return {};
  if (!is_running()) return std::unexpected(ready.error());
  end();
  return fail("the executor can't set up its world: " + ready.error().what,
              Failure::Kind::cannot_run);
}

Expected<Progress> KernelDriver::Impl::receive(Deadline deadline, milliseconds limit) {
  kernel::Bytes body;
  const IoStatus status = receive_frame(executor.socket.get(), body, deadline);
  if (status != IoStatus::ok) return give_up(status, limit);
  return kernel::decode_progress(body);
}

Expected<Progress> KernelDriver::Impl::exchange(const kernel::Bytes& body, milliseconds limit) {
  const Deadline deadline = steady_clock::now() + limit;
  const IoStatus status = send_frame(executor.socket.get(), body, deadline);
  if (status != IoStatus::ok) return give_up(status, limit);
  Expected<Progress> progress = receive(deadline, limit);
  if (progress || !is_running()) return progress;
  end();
  return fail("the executor gave up: " + progress.error().what);
}

std::unexpected<Failure> KernelDriver::Impl::give_up(IoStatus status, milliseconds limit) {
  const std::string how = end();
  if (status == IoStatus::closed) return fail("the executor died: " + how);
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

KernelDriver::KernelDriver(Privilege privilege) : impl_(std::make_unique<Impl>(privilege)) {}
KernelDriver::KernelDriver(KernelDriver&&) noexcept = default;
KernelDriver& KernelDriver::operator=(KernelDriver&&) noexcept = default;
KernelDriver::~KernelDriver() = default;

Expected<KernelDriver> KernelDriver::start(Privilege privilege) {
  KernelDriver driver(privilege);
  if (Expected<void> started = driver.impl_->start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return driver;
}

Expected<ExecutionResult> KernelDriver::perform(const Program& program,
                                                std::span<const Outcome> predicted,
                                                milliseconds limit, const AtPause& at_pause,
                                                FailingAllocation failing) {
  PIVOTCHECK_CHECK(predicted.empty() || predicted.size() == program.steps.size());
  if (::getpid() != impl_->owner) return fail("the KernelDriver belongs to another process");
  const auto spawns = std::ranges::count_if(program.steps, [](const ProgramStep& step) {
    return effect_of(step.op) == Effect::makes_task;
  });
  if (static_cast<std::size_t>(spawns) >= tasks_max) {
    return fail("more than " + std::to_string(tasks_max) + " tasks");
  }
  if (!impl_->is_running()) {
    if (Expected<void> started = impl_->start(); !started) {
      return std::unexpected(std::move(started.error()));
    }
  }
  TaskTable tasks(program);
  ExecutionResult result;
  kernel::Bytes body = kernel::encode(program.steps, predicted, bool(at_pause), failing);
  for (;;) {
    const Expected<Progress> progress = impl_->exchange(body, limit);
    if (!progress) return std::unexpected(progress.error());
    for (std::size_t i = 0; i < progress->outcomes.size(); ++i) {
      tasks.add(result.outcomes.size(), progress->outcomes[i], progress->descriptors[i]);
      result.outcomes.push_back(progress->outcomes[i]);
    }
    result.tasks = tasks.alive(progress->pids);
    result.allocation_failed = progress->allocation_failed;
    if (!progress->paused) return result;
    body = at_pause(result) ? kernel::continue_word : "";
  }
}

}  // namespace pivotcheck

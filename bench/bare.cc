// SPDX-License-Identifier: Apache-2.0
// bare.cc: the reads, the executor's main, and the recording.
#include "bare.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "check/driver/frame.h"
#include "check/driver/kernel_driver.h"
#include "check/driver/reserved_fds.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/seeded.h"
#include "check/trial/trial.h"
#include "observe/statmount_api.h"

namespace pivotcheck::bench {
namespace {

namespace api = statmount_api;

constexpr std::uint64_t everything = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_MNT_ROOT |
                                     STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE;

// Set before an executor is launched, which is a copy of this process.
const std::vector<Recording>* recorded = nullptr;

// --- reading -------------------------------------------------------------------------------------

// The system calls of observe/observe.cc. What is known already (a namespace, a directory) is not
// read again, there as here.
class Reads {
 public:
  void of_case(const kernel::SharedSchedule& schedule, const Recording& recording,
               bool mountinfo_too) {
    namespaces_.clear();
    places_.clear();
    for (const TaskLeft& task : recording.left) of_task(schedule.outer_pid(task.number), task);
    for (const Namespace& one : namespaces_) of_namespace(one);
    if (!mountinfo_too) return;
    namespaces_.clear();
    places_.clear();
    for (const TaskLeft& task : recording.left) {
      const pid_t pid = schedule.outer_pid(task.number);
      if (of_task(pid, task)) of_mountinfo(pid);
    }
  }

 private:
  struct Namespace {
    std::uint64_t inode = 0;
    api::NamespaceInfo info{};
  };
  struct Place {
    std::uint64_t inode = 0;
    std::uint64_t mount = 0;
    bool operator==(const Place&) const = default;
  };

  const char* path(pid_t pid, const char* name) {
    std::snprintf(path_.data(), path_.size(), "%d/%s", pid, name);
    return path_.data();
  }

  // Is it in a namespace that was not known?
  bool of_task(pid_t pid, const TaskLeft& task) {
    const char* link = path(pid, "ns/mnt");
    unsigned long inode = 0;
    if (!namespaces_.empty()) {
      const ssize_t size =
          ::readlinkat(kernel::reserved_fds::proc, link, reply_.data(), reply_.size() - 1);
      reply_[static_cast<std::size_t>(std::max<ssize_t>(size, 0))] = '\0';
      static_cast<void>(std::sscanf(reply_.data(), "mnt:[%lu]", &inode));
    }
    const bool is_new = std::ranges::find(namespaces_, inode, &Namespace::inode) ==
                        namespaces_.end();
    if (is_new) identify(link);
    of_place(pid, "root");
    of_place(pid, "cwd");
    for (const int descriptor : task.descriptors) {
      std::array<char, 16> name{};
      std::snprintf(name.data(), name.size(), "fd/%d", descriptor);
      of_place(pid, name.data());
    }
    return is_new;
  }

  void identify(const char* link) {
    const UniqueFd fd(::openat(kernel::reserved_fds::proc, link, O_RDONLY | O_CLOEXEC));
    struct stat status {};
    Namespace& one = namespaces_.emplace_back();
    if (::fstat(fd.get(), &status) == 0) one.inode = status.st_ino;
    ::ioctl(fd.get(), api::ns_mnt_get_info, &one.info);
  }

  void of_place(pid_t pid, const char* name) {
    const char* link = path(pid, name);
    struct statx status {};
    const unsigned mask = STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID_UNIQUE;
    if (::statx(kernel::reserved_fds::proc, link, AT_NO_AUTOMOUNT, mask, &status) != 0) return;
    const Place one{status.stx_ino, status.stx_mnt_id};
    if (std::ranges::find(places_, one) != places_.end()) return;
    static_cast<void>(
        !::readlinkat(kernel::reserved_fds::proc, link, reply_.data(), reply_.size()));
    if (S_ISDIR(status.stx_mode)) places_.push_back(one);
  }

  void of_namespace(const Namespace& one) {
    if (one.info.mounts == 0) return;
    std::array<std::uint64_t, 512> ids{};
    api::Request request{.mount = LSMT_ROOT, .parameter = 0,
                         .mount_namespace = one.info.id};
    const long count = ::syscall(SYS_listmount, &request, ids.data(), ids.size(), 0);
    request.parameter = everything;
    for (long i = 0; i < count; ++i) {
      request.mount = ids[static_cast<std::size_t>(i)];
      ::syscall(SYS_statmount, &request, reply_.data(), reply_.size(), 0);
    }
  }

  void of_mountinfo(pid_t pid) {
    const UniqueFd fd(::openat(kernel::reserved_fds::proc, path(pid, "mountinfo"),
                               O_RDONLY | O_CLOEXEC));
    while (::read(fd.get(), reply_.data(), reply_.size()) > 0) {
    }
  }

  std::array<char, 64> path_{};
  std::vector<Namespace> namespaces_;  // their memory is kept from case to case
  std::vector<Place> places_;
  alignas(8) std::array<char, 16384> reply_{};
};

void serve_recordings(kernel::TaskContext& context, int owner) {
  Reads reads;
  unsigned cases = 0;
  serve(owner, [&](std::uint64_t number) {
    const Recording& one = (*recorded)[number % recorded->size()];
    if (kernel::end_world(context, one.script.order.steps.size())) return false;
    kernel::run_in_fresh_namespace(context, one.script);
    reads.of_case(*context.schedule, one, cases++ % cross_check_every == 0);
    return true;
  });
}

// --- recording -----------------------------------------------------------------------------------

Expected<Recording> record_one(KernelDriver& driver, const Generated& generated) {
  Recording recording;
  recording.script.order.steps = generated.steps;
  for (const Verdict& verdict : generated.verdicts) {
    recording.script.order.predicted.push_back(verdict.outcome);
  }
  auto cast = kernel::make_cast(generated.steps);
  if (!cast) return std::unexpected(cast.error());
  recording.script.cast = std::move(*cast);
  const auto performed = driver.perform(generated.steps, recording.script.order.predicted,
                                        std::chrono::seconds(10));
  if (!performed) return std::unexpected(performed.error());
  if (performed->outcomes != recording.script.order.predicted) return fail("they disagree");
  const std::vector<std::string>& names = recording.script.cast.names;
  for (const LiveTask& task : performed->tasks) {
    const auto number = std::ranges::find(names, task.name) - names.begin();
    TaskLeft& left = recording.left.emplace_back(static_cast<int>(number), std::vector<int>());
    for (const auto& handle : task.handles) left.descriptors.push_back(handle.second);
  }
  return recording;
}

}  // namespace

Expected<std::vector<Recording>> record(Privilege privilege, std::uint64_t seed,
                                        std::size_t cases) {
  auto driver = KernelDriver::start(privilege);
  if (!driver) return std::unexpected(driver.error());
  const ScenarioGenerator generator(
      {.privilege = privilege, .traits = KernelTraits::for_release(running_release())});
  std::vector<Recording> recordings;
  for (std::uint64_t number = 0; recordings.size() < cases; ++number) {
    SeededChoices choices(seed, number);
    auto one = record_one(*driver, generator.generate(choices));
    if (!one) return fail("case " + std::to_string(number) + ": " + one.error().what);
    recordings.push_back(std::move(*one));
  }
  return recordings;
}

Expected<kernel::Executor> launch_bare(Privilege privilege,
                                       const std::vector<Recording>& recordings) {
  recorded = &recordings;
  auto executor = kernel::launch_executor(privilege, serve_recordings);
  if (!executor) return executor;
  kernel::Bytes body;  // that it is set up
  kernel::Report report;
  if (kernel::receive_frame(executor->socket.get(), body, {}) != kernel::IoStatus::ok ||
      !decode(body, report) || !report.failure.empty()) {
    return fail("the bare executor can't set up its world: " + report.failure);
  }
  return executor;
}

}  // namespace pivotcheck::bench

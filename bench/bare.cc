// SPDX-License-Identifier: Apache-2.0
// bare.cc: see bare.h. The reads are those of observe/observe.cc, without what is made of them.
#include "bare.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "check/gen/scenario_generator.h"
#include "check/gen/seeded.h"
#include "check/driver/reserved_fds.h"
#include "check/driver/frame.h"
#include "check/driver/kernel_driver.h"
#include "observe/statmount_api.h"
#include "check/trial/trial.h"

namespace pivotcheck::bench {
namespace {

namespace api = statmount_api;

constexpr std::uint64_t everything = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_MNT_ROOT |
                                     STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE;

// What the life of an executor plays: it is a copy of a process in which this was set.
const std::vector<Recording>* to_play = nullptr;

// --- reading -------------------------------------------------------------------------------------

class Reads {
 public:
  void of_case(const kernel::SharedSchedule& schedule, const Recording& recording, bool both_roads) {
    namespaces_ = 0;
    locations_ = 0;
    for (const TaskLeft& task : recording.left) of_task(schedule.outer_pid(task.number), task);
    for (std::size_t i = 0; i < namespaces_; ++i) of_namespace(identities_[i]);
    if (!both_roads) return;
    locations_ = 0;
    namespaces_ = 0;
    for (const TaskLeft& task : recording.left) {
      const std::size_t before = namespaces_;
      of_task(schedule.outer_pid(task.number), task);
      if (namespaces_ > before) of_mountinfo(schedule.outer_pid(task.number));
    }
  }

 private:
  struct Identity {
    std::uint64_t inode;
    api::NamespaceInfo info;
  };
  struct Known {
    std::uint64_t inode;
    std::uint64_t mount;
  };
  static constexpr std::size_t namespaces_max = 64;
  static constexpr std::size_t known_max = 256;

  const char* path(pid_t pid, const char* name) {
    std::snprintf(path_.data(), path_.size(), "%d/%s", pid, name);
    return path_.data();
  }

  void of_task(pid_t pid, const TaskLeft& task) {
    const char* link = path(pid, "ns/mnt");
    std::uint64_t inode = 0;
    if (namespaces_ > 0) {
      const ssize_t size = ::readlinkat(kernel::reserved_fds::proc, link, text_.data(), text_.size() - 1);
      text_[static_cast<std::size_t>(size > 0 ? size : 0)] = '\0';
      unsigned long number = 0;
      if (std::sscanf(text_.data(), "mnt:[%lu]", &number) == 1) inode = number;
    }
    bool known = false;
    for (std::size_t i = 0; i < namespaces_; ++i) known = known || identities_[i].inode == inode;
    if (!known && namespaces_ < namespaces_max) identify(link);
    of_location(pid, "root");
    of_location(pid, "cwd");
    for (const int descriptor : task.descriptors) {
      std::array<char, 16> name{};
      std::snprintf(name.data(), name.size(), "fd/%d", descriptor);
      of_location(pid, name.data());
    }
  }

  void identify(const char* link) {
    const int fd = ::openat(kernel::reserved_fds::proc, link, O_RDONLY | O_CLOEXEC);
    struct stat status {};
    Identity& identity = identities_[namespaces_++];
    identity = {};
    if (::fstat(fd, &status) == 0) identity.inode = status.st_ino;
    ::ioctl(fd, api::ns_mnt_get_info, &identity.info);
    ::close(fd);
  }

  void of_location(pid_t pid, const char* name) {
    const char* link = path(pid, name);
    struct statx status {};
    const unsigned mask =
        STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID_UNIQUE;
    if (::statx(kernel::reserved_fds::proc, link, AT_NO_AUTOMOUNT, mask, &status) != 0) return;
    const Known one{status.stx_ino, status.stx_mnt_id};
    for (std::size_t i = 0; i < locations_; ++i) {
      if (known_[i].inode == one.inode && known_[i].mount == one.mount) return;
    }
    (void)!::readlinkat(kernel::reserved_fds::proc, link, text_.data(), text_.size());
    if (S_ISDIR(status.stx_mode) && locations_ < known_max) known_[locations_++] = one;
  }

  void of_namespace(const Identity& identity) {
    if (identity.info.mounts == 0) return;
    std::array<std::uint64_t, 512> ids{};
    const api::Request all{.mount = LSMT_ROOT,
                           .parameter = 0,
                           .mount_namespace = identity.info.id};
    const long count = ::syscall(SYS_listmount, &all, ids.data(), ids.size(), 0);
    for (long i = 0; i < count; ++i) {
      const api::Request one{.mount = ids[static_cast<std::size_t>(i)],
                             .parameter = everything,
                             .mount_namespace = identity.info.id};
      ::syscall(SYS_statmount, &one, reply_.data(), reply_.size(), 0);
    }
  }

  void of_mountinfo(pid_t pid) {
    const int fd = ::openat(kernel::reserved_fds::proc, path(pid, "mountinfo"), O_RDONLY | O_CLOEXEC);
    while (::read(fd, reply_.data(), reply_.size()) > 0) {
    }
    ::close(fd);
  }

  std::array<char, 64> path_{};
  std::array<char, 4096> text_{};
  std::array<Identity, namespaces_max> identities_{};
  std::array<Known, known_max> known_{};
  std::size_t namespaces_ = 0;
  std::size_t locations_ = 0;
  alignas(8) std::array<char, 16384> reply_{};
};

// --- a life without a protocol -------------------------------------------------------------------

void play_portions(kernel::TaskContext& actor, int owner) {
  Reads reads;
  unsigned cases = 0;
  for (Portion portion{}; ::recv(owner, &portion, sizeof(portion), MSG_WAITALL) ==
                          static_cast<ssize_t>(sizeof(portion));) {
    for (std::uint64_t i = 0; i < portion.count; ++i) {
      const Recording& one = (*to_play)[(portion.first + i) % to_play->size()];
      if (kernel::end_world(actor, one.script.order.steps.size())) return;
      kernel::run_in_fresh_namespace(actor, one.script);
      reads.of_case(*actor.schedule, one, cases++ % cross_check_every == 0);
    }
    const char done = 1;
    if (::send(owner, &done, 1, MSG_NOSIGNAL) != 1) return;
  }
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
  const auto performed = driver.perform(
      generated.steps, recording.script.order.predicted, std::chrono::seconds(10));
  if (!performed) return std::unexpected(performed.error());
  if (performed->outcomes != recording.script.order.predicted) return fail("they disagree");
  const std::vector<std::string>& names = recording.script.cast.names;
  for (const LiveTask& task : performed->tasks) {
    TaskLeft left{.number = 0, .descriptors = {}};
    while (names[static_cast<std::size_t>(left.number)] != task.name) ++left.number;
    for (const auto& handle : task.handles) left.descriptors.push_back(handle.second);
    recording.left.push_back(std::move(left));
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
  to_play = &recordings;
  auto executor = kernel::launch_executor(privilege, play_portions);
  if (!executor) return executor;
  kernel::Bytes body;  // that it is set up
  if (kernel::receive_frame(executor->socket.get(), body, {}) != kernel::IoStatus::ok) {
    return fail("the bare executor died");
  }
  kernel::Report report;
  if (!decode(body, report) || !report.failure.empty()) {
    return fail("the bare executor can't set up its world: " + report.failure);
  }
  return executor;
}

}  // namespace pivotcheck::bench

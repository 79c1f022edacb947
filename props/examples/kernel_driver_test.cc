// SPDX-License-Identifier: Apache-2.0
// kernel_driver_test.cc: examples of what a KernelDriver does: it answers as the kernel does, every
// world is fresh, nothing reaches the machine, and whatever dies is cleaned up after.
//
// What the kernel answers is stated in scenario text, here and in corpus/worlds. That is not the
// model's word: these examples are about the driver, and pick answers that no kernel is expected to
// give differently.
//
// Left out: what a world looks like afterwards; the observers' examples read that.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "examples.h"

using namespace pivotcheck;
using namespace std::chrono_literals;

namespace {

std::size_t open_descriptors(const std::string& process = "self") {
  DIR* directory = ::opendir(("/proc/" + process + "/fd").c_str());
  REQUIRE(directory != nullptr);
  std::size_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

bool exists(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

bool ends_soon(pid_t pid) {
  for (int i = 0; i < 500 && exists(pid); ++i) std::this_thread::sleep_for(10ms);
  return !exists(pid);
}

std::string many_mounts(int count) {
  std::string text = "mkdir /m\n";
  for (int i = 0; i < count; ++i) text += "mount tmpfs /m\n";
  return text;
}

}  // namespace

TEST_CASE("no descriptor of a world is left in the next one") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    const auto count = [&driver](std::string_view text) {
      return open_descriptors(std::to_string(perform(driver, text).tasks.front().pid));
    };
    const std::size_t in_first_world = count("mkdir /a\n");
    CHECK(count("open h /\nopen k /\nfsmount m tmpfs\n") == in_first_world + 3);
    CHECK(count("mkdir /a\n") == in_first_world);
  }
}

TEST_CASE("a limit is set in a user namespace of the world's own only, even if the model is wrong") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    perform(driver, "unshare user\nlimit mnt\nunshare mnt => ENOSPC\n");
    for (const char* text : {"limit mnt\n", "spawn B\nunshare user\nB: limit mnt\n"}) {
      const auto refused = driver.perform(program_of(text), {}, 10s);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().what.contains("limit in a user namespace"));
    }
    perform(driver, "unshare mnt\n");
  }
}

TEST_CASE("each scenario in corpus/worlds is answered as it states, in each kind of world") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    for (const CorpusFile& file : corpus_files("worlds")) {
      CAPTURE(file.name);
      perform(driver, file.text);
    }
  }
}

TEST_CASE("the root mount is locked in a user namespace, and only there") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    const bool locked = privilege == Privilege::userns;
    perform(driver, std::string("umount / detach => ") + (locked ? "EINVAL" : "ok"));
    perform(driver, std::string("umount / => ") + (locked ? "EINVAL" : "ok"));
    perform(driver, "mkdir /a");
  }
}

TEST_CASE("tasks have their own roots, directories and handles, and end when they say so") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    const ExecutionResult performed = perform(driver, R"(
      mkdir /a
      open h /a
      spawn B
      B: chdir @h
      B: unshare mnt,user
      B: mount tmpfs /a
      B: spawn C
      C: close h
      C: fchdir h => EBADF
      C: open k /
      fchdir h
      setns B user
      setns B user => EINVAL
      spawn D
      B: exit
      D: setns C mnt
      D: umount /a
      exit)");
    REQUIRE(performed.tasks.size() == 2);
    CHECK(performed.tasks[0].name == "C");
    REQUIRE(performed.tasks[0].handles.size() == 1);
    CHECK(performed.tasks[0].handles[0].first == "k");
    CHECK(performed.tasks[1].name == "D");
    CHECK(performed.tasks[1].handles.size() == 1);
    for (const LiveTask& task : performed.tasks) {
      const std::string proc = "/proc/" + std::to_string(task.pid);
      CHECK(::access((proc + "/fd/" + std::to_string(task.handles[0].second)).c_str(), F_OK) == 0);
    }
    perform(driver, "mkdir /a");
    CHECK_FALSE(exists(performed.tasks[0].pid));
  }
}

TEST_CASE("sixty-four tasks are fine and one more is a failure of the harness") {
  KernelDriver driver = start(Privilege::userns);
  std::string text;
  for (int i = 1; i < 64; ++i) text += "spawn B" + std::to_string(i) + "\n";
  perform(driver, text + "B63: mkdir /a\nmkdir /a => EEXIST\n");
  CHECK_FALSE(driver.perform(program_of(text + "spawn ZZ"), {}, generous));
  perform(driver, "mkdir /a");
}

TEST_CASE("nothing leaks from a case into the next") {
  for (const Privilege privilege : privileges()) {
    CAPTURE(privilege == Privilege::root);
    KernelDriver driver = start(privilege);
    std::string deep = "mkdir /d\nchdir /d\n";
    for (int i = 0; i < 40; ++i) deep += "mkdir d\nchdir d\n";
    for (const std::string& dirt :
         {std::string("mkdir /a\nmkdir /a/b\ntouch /a/b/c\nsymlink x /a/s\nchmod /a 0000"),
          std::string("chmod / 0000"), deep,
          std::string("mkdir /x\nbind / /x\nchroot /x\numount /\nmkdir /y => EROFS"),
          std::string("make-rshared /\nmkdir /x\nmount tmpfs /x ro\nremount / ro,noexec"),
          std::string("unshare mnt,user\nmkdir /x\nmount tmpfs /x\nchroot /x"),
          std::string("mkdir /x\nmount tmpfs /x\nchdir /x\npivot_root . .\numount . detach"),
          std::string("open h /\ndropcap dac,sys_admin,sys_chroot\nmkdir /x")}) {
      CAPTURE(dirt);
      perform(driver, dirt);
      const ExecutionResult fresh = perform(driver, R"(
        fchdir h => EBADF
        rmdir /x => ENOENT
        rmdir /d => ENOENT
        mkdir /a
        mount tmpfs /a)");
      REQUIRE(fresh.tasks.size() == 1);
      const std::string mounts =
          read_file("/proc/" + std::to_string(fresh.tasks[0].pid) + "/mountinfo");
      CHECK(std::ranges::count(mounts, '\n') == 2);
      CHECK(mounts.find(" / / rw,relatime - tmpfs none rw") != std::string::npos);
      CHECK(mounts.find(" / /a rw,relatime - tmpfs none rw") != std::string::npos);
      // Another's 1777 on the root: without CAP_DAC_OVERRIDE it is the mode that lets A in.
      perform(driver, "dropcap dac\nmkdir /b\nchdir /");
    }
  }
}

TEST_CASE("it stops after the first step that is not as predicted") {
  for (const std::string task : {"", "B: "}) {
    KernelDriver driver = start(Privilege::userns);
    const auto steps =
        program_of("spawn B\nmkdir /a\n" + task + "rmdir /b\n" + task + "mkdir /c\nexit\n");
    const auto stopped = driver.perform(steps, std::vector<Outcome>(5), generous);
    REQUIRE(stopped);
    CHECK(stopped->outcomes == std::vector<Outcome>{{0}, {0}, {ENOENT}});
    CHECK(stopped->tasks.size() == 2);
    const auto through = driver.perform(
        steps, std::vector<Outcome>{{0}, {0}, {ENOENT}, {0}, {0}}, generous);
    REQUIRE(through);
    CHECK(through->outcomes.size() == 5);
    CHECK(through->tasks.size() == 1);
  }
}

TEST_CASE("an empty list is performed as well, and a long one") {
  KernelDriver driver = start(Privilege::userns);
  CHECK(perform(driver, "").tasks.size() == 1);
  perform(driver, many_mounts(1500));
  perform(driver, "rmdir /m => ENOENT");
}

TEST_CASE("a deadline that passes is a failure, and the next call works again") {
  KernelDriver driver = start(Privilege::userns);
  const auto late = driver.perform(program_of(many_mounts(3000)), {}, 1ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Failure::Kind::deadline);
  perform(driver, "mkdir /m");
}

TEST_CASE("an executor or a task that is killed is a failure, and the next call works again") {
  KernelDriver driver = start(Privilege::userns);
  const ExecutionResult standing = perform(driver, "spawn B");
  REQUIRE(standing.tasks.size() == 2);
  ::kill(standing.tasks[1].pid, SIGKILL);  // it has no step to perform
  const ExecutionResult next = perform(driver, "mkdir /a");
  ::kill(next.tasks[0].pid, SIGKILL);
  const auto dead = driver.perform(program_of("mkdir /a"), {}, generous);
  REQUIRE_FALSE(dead);
  CHECK(dead.error().kind == Failure::Kind::broke);
  CHECK(dead.error().what == "the executor died: signal 9");
  perform(driver, "mkdir /a");
}

TEST_CASE("the machine is as before: its mounts, its processes, this process's descriptors") {
  const std::string mounts_before = read_file("/proc/self/mountinfo");
  const std::size_t descriptors_before = open_descriptors();
  std::vector<pid_t> pids;
  for (const Privilege privilege : privileges()) {
    KernelDriver one = start(privilege);
    KernelDriver other = start(privilege);
    perform(one, "make-rshared /\nmkdir /m\nmount tmpfs /m\nunshare mnt,user\nspawn B");
    const ExecutionResult standing =
        perform(other, "spawn B\nB: spawn C\nmkdir /m\nmount tmpfs /m");
    for (const LiveTask& task : standing.tasks) pids.push_back(task.pid);
    one = std::move(other);
    CHECK(read_file("/proc/self/mountinfo") == mounts_before);
  }
  CHECK(::waitpid(-1, nullptr, 0) == -1);
  CHECK(errno == ECHILD);
  for (const pid_t pid : pids) CHECK_FALSE(exists(pid));
  CHECK(open_descriptors() == descriptors_before);
  CHECK(read_file("/proc/self/mountinfo") == mounts_before);
}

TEST_CASE("an owner that is killed leaves no process behind") {
  for (const Privilege privilege : privileges()) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t owner = ::fork();
    if (owner == 0) {
      Expected<KernelDriver> driver = KernelDriver::start(privilege);
      if (!driver) ::_exit(1);
      const auto standing = driver->perform(program_of("spawn B\nunshare user"), {}, generous);
      if (!standing || standing->tasks.size() != 2) ::_exit(1);
      const pid_t pids[2]{standing->tasks[0].pid, standing->tasks[1].pid};
      if (::write(ends[1], pids, sizeof(pids)) != sizeof(pids)) ::_exit(1);
      for (;;) ::pause();
    }
    ::close(ends[1]);
    pid_t pids[2]{};
    REQUIRE(::read(ends[0], pids, sizeof(pids)) == sizeof(pids));
    ::close(ends[0]);
    CHECK(exists(pids[0]));
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    CHECK(ends_soon(pids[0]));
    CHECK(ends_soon(pids[1]));
  }
}

TEST_CASE("a fork of the owner can't end the owner's executor") {
  KernelDriver driver = start(Privilege::userns);
  const auto in_fork = [&] {
    const bool refused = !driver.perform(program_of("mkdir /a"), {}, generous);
    { const KernelDriver gone = std::move(driver); }
    return refused ? 0 : 1;
  };
  CHECK(status_of_child(in_fork) == 0);
  perform(driver, "mkdir /a");
}

TEST_CASE("an ordinary user has worlds, and learns why there are none of privilege root") {
  const auto as_ordinary_user = [] {
    if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(1000, 1000, 1000) != 0 ||
                             ::setresuid(1000, 1000, 1000) != 0)) {
      return 2;
    }
    const auto refused = KernelDriver::start(Privilege::root);
    if (refused || refused.error().kind != Failure::Kind::cannot_run) return 3;
    KernelDriver driver = start(Privilege::userns);
    const Program program =
        program_of("mkdir /a\nmount tmpfs /a\nspawn B\nB: unshare user\nexit");
    return driver.perform(program, std::vector<Outcome>(5), generous) ? 0 : 4;
  };
  CHECK(status_of_child(as_ordinary_user) == 0);
}

TEST_CASE("a world is left for rootfs never, but with a failure") {
  if (!is_root()) return;
  KernelDriver driver = start(Privilege::root);
  const auto left =
      driver.perform(program_of("spawn B\numount / detach\nsetns B mnt\nmkdir /x"), {}, generous);
  REQUIRE_FALSE(left);
  CHECK(left.error().what.find("leaves the world") != std::string::npos);
  perform(driver, "mkdir /x");
}

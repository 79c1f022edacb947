// SPDX-License-Identifier: Apache-2.0
// kernel_driver_test.cc: examples of what a KernelDriver does: it answers as the kernel does, every
// world is fresh, nothing reaches the machine, and whatever dies is cleaned up after.
//
// What the kernel answers is stated in scenario text. That is not the model's word: these examples
// are about the driver, and pick answers that no kernel is expected to give differently.
//
// Left out: what a world looks like afterwards; the observers' examples read that.
#include <doctest/doctest.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "check/driver/kernel_driver.h"
#include "scenario/program.h"
#include "not_run.h"

using namespace pivotcheck;
using namespace std::chrono_literals;

namespace {

constexpr auto generous = 20s;

std::vector<Privilege> privileges() {
  if (::geteuid() == 0) return {Privilege::userns, Privilege::root};
  not_run("in privilege root: that takes uid 0");
  return {Privilege::userns};
}

KernelDriver start(Privilege privilege) {
  Expected<KernelDriver> driver = KernelDriver::start(privilege);
  REQUIRE_MESSAGE(driver, (driver ? "" : driver.error().what));
  return std::move(*driver);
}

Scenario scenario(const std::string& text) {
  const auto parsed = parse(text);
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().what));
  return *parsed;
}

Program program_of(const std::string& text) {
  const auto program = resolve(scenario(text));
  REQUIRE_MESSAGE(program, (program ? "" : program.error().what));
  return *program;
}

// Performs the steps and holds each answer against the one stated; "ok" where none is.
ExecutionResult check(KernelDriver& driver, const std::string& text) {
  const Scenario wanted = scenario(text);
  const auto performed = driver.perform(program_of(text), {}, generous);
  REQUIRE_MESSAGE(performed, (performed ? "" : performed.error().what));
  REQUIRE(performed->outcomes.size() == wanted.steps.size());
  for (std::size_t i = 0; i < wanted.steps.size(); ++i) {
    const auto& [step, stated] = wanted.steps[i];
    CAPTURE(print(step));
    CHECK(to_string(performed->outcomes[i]) == to_string(stated ? stated->outcome : Outcome{}));
  }
  return *performed;
}

void check_everywhere(const std::string& text) {
  for (const Privilege privilege : privileges()) {
    CAPTURE(privilege == Privilege::root);
    KernelDriver driver = start(privilege);
    check(driver, text);
  }
}

std::size_t open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
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

TEST_CASE("a world starts as the format says") {
  check_everywhere(R"(
    rmdir / => EBUSY
    chdir /..
    mkdir /a
    mkdir a => EEXIST
    touch /f
    chmod /f 0000
    rename /a /b
    symlink /b /l
    chdir /l
    unlink /f
    open h /proc => ENOENT)");
}

TEST_CASE("the root mount is locked in a user namespace, and only there") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    const bool locked = privilege == Privilege::userns;
    check(driver, std::string("umount / detach => ") + (locked ? "EINVAL" : "ok"));
    check(driver, std::string("umount / => ") + (locked ? "EINVAL" : "ok"));
    check(driver, "mkdir /a");
  }
}

TEST_CASE("pivot_root switches the root of every task") {
  check_everywhere(R"(
    mkdir /new
    mount tmpfs /new
    mkdir /new/old
    spawn B
    B: chdir /new
    pivot_root /new /new/old
    B: umount /old detach
    B: rmdir /old
    rmdir /old => ENOENT)");
}

TEST_CASE("a path may start at a handle in every verb") {
  check_everywhere(R"(
    mkdir /d
    mkdir /d/s
    mkdir /e
    touch /e/f
    touch /d/g
    open h /d
    open k /e
    open f /e/f
    chdir /d
    bind @f @h/g
    bind @h/s @k
    bind s @k
    bind @k s
    bind "" @k => EINVAL
    bind @k "" => ENOENT
    rename @h/g @k/h => EBUSY
    mount tmpfs @f => ENOTDIR
    umount @f => EINVAL
    umount @h/g
    umount @k nofollow
    umount @k nofollow
    symlink /e /l
    umount @h/../l nofollow => EINVAL
    chdir @h/s
    chdir @f => ENOTDIR
    chdir @h/..
    touch @h/t
    chmod @h/t 0600
    chmod @h 0700
    rename @h/t @k/t
    unlink @k/t
    symlink @h @h/ln
    unlink @h/ln
    mkdir @h/deep/ => ok
    rmdir @h/deep
    mount ramfs @h ro
    mkdir /d/foo => EROFS
    mkdir @h/foo
    open h /d
    mkdir @h/foo => EROFS
    umount /d => EBUSY
    close h
    umount /d
    mount tmpfs /d
    mkdir /d/o
    open h /d
    open o /d/o
    pivot_root @h @o
    chdir /
    umount /o detach
    remount / ro,nosuid
    mkdir /x => EROFS
    remount @h rw
    mkdir /x
    make-rshared @h
    make-unbindable @h
    bind @h @h/x => EINVAL
    chroot @h/x
    mkdir /y
    chroot @h
    rmdir /x/y)");
}

TEST_CASE("a bare handle is no name, and one that is not open is EBADF before all else") {
  check_everywhere(R"(
    mkdir /d
    open h /d
    mkdir @h => ENOENT
    rmdir @h => ENOENT
    touch @h => ENOENT
    unlink @h => ENOENT
    symlink x @h => ENOENT
    rename @h /x => ENOENT
    rename /nope @z => EBADF
    bind "" @z => EBADF
    bind @z /nope => EBADF
    pivot_root /nope @z => EBADF
    mkdir @z/x => EBADF
    chroot @z => EBADF
    fchdir z => EBADF
    close z => EBADF
    open h /nope => ENOENT
    mkdir @h/x
    close h
    mkdir @h/x => EBADF)");
}

TEST_CASE("a path at a handle leaves MNT_EXPIRE marks alone") {
  check_everywhere(R"(
    mkdir /m
    mkdir /n
    mount tmpfs /m
    open n /n
    umount /m expire => EAGAIN
    mount tmpfs @n
    chmod @n 0755
    chroot @n
    chroot .
    fchdir n
    umount /m expire)");
}

TEST_CASE("without CAP_DAC_OVERRIDE a handle takes a task where no path would") {
  check_everywhere(R"(
    mkdir /d
    touch /d/f
    mkdir /d/s
    mkdir /w
    open h /d
    open f /d/f
    open s /d/s
    open r /
    chdir /w
    chmod /w 0000
    chmod /d 0000
    dropcap dac
    chdir . => EACCES
    mkdir /d/x => EACCES
    mkdir @h/x => EACCES
    umount @h/s => EACCES
    open g @h
    chroot @h => EACCES
    chroot @s
    chdir . => EACCES
    chroot @r
    chmod /w 0700
    chdir .
    mkdir @s/x)");
}

TEST_CASE("capabilities are dropped one by one, and a new user namespace gives them back") {
  check_everywhere(R"(
    mkdir /d
    touch /f
    open h /d
    open f /f
    dropcap sys_chroot
    chroot / => EPERM
    chroot @h/nope => ENOENT
    chroot @f => ENOTDIR
    chroot @h => EPERM
    mount tmpfs /d
    dropcap sys_admin,dac
    umount /d => EPERM
    unshare mnt => EPERM
    unshare user
    umount /d => EPERM
    unshare mnt
    mount ramfs /d
    chroot @h)");
}

TEST_CASE("tasks have their own roots, directories and handles, and end when they say so") {
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    const ExecutionResult performed = check(driver, R"(
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
    check(driver, "mkdir /a");
    CHECK_FALSE(exists(performed.tasks[0].pid));
  }
}

TEST_CASE("sixty-four tasks are fine and one more is a failure of the harness") {
  KernelDriver driver = start(Privilege::userns);
  std::string text;
  for (int i = 1; i < 64; ++i) text += "spawn B" + std::to_string(i) + "\n";
  check(driver, text + "B63: mkdir /a\nmkdir /a => EEXIST\n");
  CHECK_FALSE(driver.perform(program_of(text + "spawn ZZ"), {}, generous));
  check(driver, "mkdir /a");
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
      check(driver, dirt);
      const ExecutionResult fresh = check(driver, R"(
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
      check(driver, "dropcap dac\nmkdir /b\nchdir /");
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
  CHECK(check(driver, "").tasks.size() == 1);
  check(driver, many_mounts(1500));
  check(driver, "rmdir /m => ENOENT");
}

TEST_CASE("a deadline that passes is a failure, and the next call works again") {
  KernelDriver driver = start(Privilege::userns);
  const auto late = driver.perform(program_of(many_mounts(3000)), {}, 1ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Failure::Kind::deadline);
  check(driver, "mkdir /m");
}

TEST_CASE("an executor or a task that is killed is a failure, and the next call works again") {
  KernelDriver driver = start(Privilege::userns);
  const ExecutionResult standing = check(driver, "spawn B");
  REQUIRE(standing.tasks.size() == 2);
  ::kill(standing.tasks[1].pid, SIGKILL);  // it has no step to perform
  const ExecutionResult next = check(driver, "mkdir /a");
  ::kill(next.tasks[0].pid, SIGKILL);
  const auto dead = driver.perform(program_of("mkdir /a"), {}, generous);
  REQUIRE_FALSE(dead);
  CHECK(dead.error().kind == Failure::Kind::broke);
  CHECK(dead.error().what == "the executor died: signal 9");
  check(driver, "mkdir /a");
}

TEST_CASE("the machine is as before: its mounts, its processes, this process's descriptors") {
  const std::string mounts_before = read_file("/proc/self/mountinfo");
  const std::size_t descriptors_before = open_descriptors();
  std::vector<pid_t> pids;
  for (const Privilege privilege : privileges()) {
    KernelDriver one = start(privilege);
    KernelDriver other = start(privilege);
    check(one, "make-rshared /\nmkdir /m\nmount tmpfs /m\nunshare mnt,user\nspawn B");
    const ExecutionResult standing = check(other, "spawn B\nB: spawn C\nmkdir /m\nmount tmpfs /m");
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
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = !driver.perform(program_of("mkdir /a"), {}, generous);
    { const KernelDriver gone = std::move(driver); }
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  check(driver, "mkdir /a");
}

TEST_CASE("an ordinary user has worlds, and learns why there are none of privilege root") {
  if (::geteuid() != 0) {
    const auto refused = KernelDriver::start(Privilege::root);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Failure::Kind::cannot_run);
    return;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    const bool ordinary = ::setgroups(0, nullptr) == 0 && ::setresgid(1000, 1000, 1000) == 0 &&
                          ::setresuid(1000, 1000, 1000) == 0;
    auto refused = KernelDriver::start(Privilege::root);
    auto driver = KernelDriver::start(Privilege::userns);
    const bool fine =
        ordinary && !refused && refused.error().kind == Failure::Kind::cannot_run && driver &&
        driver->perform(program_of("mkdir /a\nmount tmpfs /a\nspawn B\nB: unshare user\nexit"),
                            std::vector<Outcome>(5), generous);
    ::_exit(fine ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("a world is left for rootfs never, but with a failure") {
  if (::geteuid() != 0) return not_run("it takes uid 0");
  KernelDriver driver = start(Privilege::root);
  const auto left =
      driver.perform(program_of("spawn B\numount / detach\nsetns B mnt\nmkdir /x"), {}, generous);
  REQUIRE_FALSE(left);
  CHECK(left.error().what.find("leaves the world") != std::string::npos);
  check(driver, "mkdir /x");
}

// SPDX-License-Identifier: Apache-2.0
// executor.cc: the executor process: how it is started, sets itself up, and lives.
//
//     owner --fork--> go-between --clone--> executor
//                     ends at once          pid 1 of its PID namespace, the owner's child
//
// The go-between is there because the clone has to be the bare system call, which is safe only in a
// process with one thread, while the owner may have several: after the C library's fork() there is
// one. The executor is a fork without an exec, so it has the memory of the owner at that moment
// (start it early), and it must not return into the owner's code: it ends by sys_exit.
//
//     setting up   die with the owner; own session; the desk; ids; the template     -> first Report
//     living       an Order -> end the last world, play the steps in a fresh one    -> Report
#include "check/driver/executor.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "check/driver/actor.h"
#include "syscalls/capabilities.h"
#include "check/driver/desk.h"
#include "check/driver/frame.h"
#include "check/driver/world.h"

namespace pivotcheck::kernel {
namespace {

// What the executor has from its owner.
struct Birthright {
  Privilege privilege;
  Life life;
  int socket;
  bool has_stderr;
  uid_t uid = ::geteuid();
  gid_t gid = ::getegid();
};

// --- in the executor: setting up -----------------------------------------------------------------

void forget_signal_handlers() {
  for (int number = 1; number <= SIGRTMAX; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Only the socket, stderr and /proc stay; an inherited copy of another Laboratory's socket would
// hide from that Laboratory's executor that its owner is gone.
Trouble clear_desk(const Birthright& born) {
  constexpr int aside = 16;  // beyond the desk, so that no move lands on what is still to be moved
  const int socket = ::fcntl(born.socket, F_DUPFD_CLOEXEC, aside);
  const int proc_anywhere = ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc_anywhere < 0) return trouble("opening /proc");
  const int proc = ::fcntl(proc_anywhere, F_DUPFD_CLOEXEC, aside);
  if (socket < 0 || proc < 0) return trouble("fcntl F_DUPFD_CLOEXEC");
  if (::dup3(socket, desk::owner, O_CLOEXEC) < 0 || ::dup3(proc, desk::proc, O_CLOEXEC) < 0) {
    return trouble("dup3");
  }
  // Without a stderr of its own, something of ours may lie in its place, and words must not go
  // there.
  if (!born.has_stderr && ::dup3(proc, STDERR_FILENO, O_CLOEXEC) < 0) return trouble("dup3");
  return sys_close_from(STDERR_FILENO + 1) == 0 ? no_trouble : trouble("close_range");
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The owner may be gone already, in which case no signal of its death will come. That shows at the
// socket.
bool owner_is_gone() {
  char byte = 0;
  return ::recv(desk::owner, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

Trouble set_up(const Birthright& born, Actor& actor) {
  forget_signal_handlers();
  ::setsid();  // Ctrl-C is for the owner; when that ends, so do we
  ::umask(0);
  raise_descriptor_limit();
  if (born.privilege == Privilege::userns) {
    // Before anything is done on a tmpfs: without ids it would answer EOVERFLOW.
    if (const Trouble refused = map_ids(born.uid, born.gid)) return refused;
  }
  if (!sys_become_root()) return trouble("setresgid or setresuid");
  // Both behind every change of ids, which undoes them (a new user namespace does not).
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return trouble("prctl PR_SET_PDEATHSIG");
  if (owner_is_gone()) sys_exit(0);
  const bool locked = born.privilege == Privilege::userns;
  if (const Trouble refused = make_template(locked)) return refused;
  return born.privilege == Privilege::root ? find_rootfs(actor.rootfs.emplace()) : no_trouble;
}

// --- in the executor: one order ------------------------------------------------------------------

Report failed(std::string why) {
  Report report;
  report.failure = std::move(why);
  return report;
}

Report obey(Actor& actor, const Bytes& body) {
  Script script;
  if (!decode(body, script.order)) return failed("an order that can't be read");
  Expected<Cast> cast = make_cast(script.order.steps);
  if (!cast) return failed(cast.error().what);
  script.cast = std::move(*cast);
  if (const Trouble refused = end_world(actor, script.order.steps.size())) {
    return failed(to_string(refused));
  }
  play_in_fresh_world(actor, script);
  return actor.stage->report();
}

void obey_orders(Actor& actor, int owner) {
  Bytes body;
  while (receive_frame(owner, body, {}) == Passage::through) {
    const Report report = obey(actor, body);
    if (send_frame(owner, encode(report), {}) != Passage::through) return;
    if (!report.failure.empty()) return;
  }
}

[[noreturn]] void run_executor(const Birthright& born) {
  Actor actor;
  Report report;
  Trouble refused = clear_desk(born);
  const int owner = refused ? born.socket : desk::owner;
  if (!refused) refused = set_up(born, actor);
  actor.stage = Stage::make(0);
  if (!refused && actor.stage == nullptr) refused = trouble("mmap of shared memory");
  if (refused) report.failure = to_string(refused);
  if (send_frame(owner, encode(report), {}) == Passage::through && report.failure.empty()) {
    (born.life == nullptr ? obey_orders : born.life)(actor, owner);
  }
  sys_exit(0);
}

// --- in the go-between ---------------------------------------------------------------------------

struct Birth {
  pid_t pid;
  int error;
};

[[noreturn]] void go_between(const Birthright& born, int tell) {
  unsigned long flags = CLONE_PARENT | CLONE_NEWPID | CLONE_NEWNS;
  if (born.privilege == Privilege::userns) flags |= CLONE_NEWUSER;
  Birth birth{sys_fork(flags), 0};
  if (birth.pid == 0) run_executor(born);
  if (birth.pid < 0) birth.error = errno;
  const bool told = ::write(tell, &birth, sizeof(birth)) == sizeof(birth);
  sys_exit(told ? 0 : 1);
}

// --- in the owner --------------------------------------------------------------------------------

std::unexpected<Failure> cannot_run(std::string what) {
  return fail(std::move(what), Failure::Kind::cannot_run);
}

std::unexpected<Failure> no_namespaces(Privilege privilege, int error) {
  const std::string call = privilege == Privilege::userns
                               ? "clone with CLONE_NEWUSER, CLONE_NEWPID and CLONE_NEWNS: "
                               : "clone with CLONE_NEWPID and CLONE_NEWNS: ";
  std::string advice;
  if (error == EPERM && privilege == Privilege::userns) {
    advice = "; user namespaces are forbidden here (sysctl kernel.unprivileged_userns_clone, "
             "kernel.apparmor_restrict_unprivileged_userns, a seccomp filter, a chroot)";
  } else if (error == EPERM) {
    advice = "; it takes CAP_SYS_ADMIN and no seccomp filter against it";
  } else if (error == ENOSPC || error == EUSERS) {
    advice = "; raise the limits in /proc/sys/user/max_*_namespaces";
  } else if (error == EINVAL) {
    advice = "; the kernel was built without these namespaces";
  }
  return cannot_run(call + errno_name(error) + advice);
}

}  // namespace

Trouble end_world(Actor& actor, std::size_t steps) {
  const Stage& stage = *actor.stage;
  for (int number = 0; number < Stage::no_part; ++number) {
    const pid_t pid = stage.pid(number);
    if (pid > 1) ::kill(pid, SIGKILL);  // 1 is the executor; all are its children, unreaped
  }
  while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
  if (sys_close_from(desk::first_free) != 0) return trouble("close_range");
  if (const Trouble refused = return_to_template()) return refused;
  if (stage.capacity() >= steps) return no_trouble;
  Stage::unmake(actor.stage);
  actor.stage = Stage::make(steps);
  if (actor.stage == nullptr) sys_exit(1);
  return no_trouble;
}

void play_in_fresh_world(Actor& actor, const Script& script) {
  Stage& stage = *actor.stage;
  actor.script = &script;
  actor.handles.clear();
  actor.number = script.cast.first_is_forked ? Stage::no_part : 0;
  stage.open(script, actor.number);
  if (script.cast.first_is_forked) {
    // The executor itself stays in the template: its root and current directory would keep mounts
    // of the world busy, as if there were one task more.
    if (const Trouble refused = fork_task(actor, 0, true)) stage.give_up(refused);
  } else if (const Trouble refused = enter_fresh_world()) {
    stage.give_up(refused);
  } else {
    stage.enter(0, ::getpid(), outer_pid());
  }
  play(actor);
  // Killed from outside, behind its last turn perhaps: then nothing later is known to be as it
  // seems.
  if (script.cast.names.size() > 1 && Stage::some_child_is_dead()) {
    stage.give_up({"a task died of itself", 0});
  }
}

Expected<Executor> launch_executor(Privilege privilege, Life life) {
  if (privilege == Privilege::root) {
    if (::geteuid() != 0) return cannot_run("privilege root takes uid 0; run as root");
    const std::string missing = missing_capabilities();
    if (!missing.empty()) return cannot_run("privilege root takes " + missing);
  }
  const bool has_stderr = ::fcntl(STDERR_FILENO, F_GETFD) >= 0;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail("socketpair: " + errno_name(errno));
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return fail("pipe2: " + errno_name(errno));
  const UniqueFd listen(pipe_ends[0]);
  UniqueFd tell(pipe_ends[1]);

  const pid_t between = ::fork();
  if (between < 0) return fail("fork: " + errno_name(errno));
  if (between == 0) {
    ours.reset();  // or the executor would never see the owner's end closed
    go_between({privilege, life, theirs.get(), has_stderr}, tell.get());
  }
  theirs.reset();
  tell.reset();
  Birth birth{-1, EIO};
  const bool heard = ::read(listen.get(), &birth, sizeof(birth)) == sizeof(birth);
  ::waitpid(between, nullptr, 0);
  if (!heard) return fail("the process that starts the executor died");
  if (birth.pid < 0) return no_namespaces(privilege, birth.error);
  Executor executor{birth.pid, UniqueFd(sys_pidfd_open(birth.pid)), std::move(ours)};
  if (!executor.pidfd) return fail("pidfd_open: " + errno_name(errno));
  return executor;
}

}  // namespace pivotcheck::kernel

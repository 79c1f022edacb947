// SPDX-License-Identifier: Apache-2.0
// executor.cc: the executor process: how it is started, sets itself up, and serves requests.
//
//     owner --fork--> launcher --clone--> executor
//                     ends at once        pid 1 of its PID namespace, the owner's child
//
// The clone has to be the bare system call, which is safe only in a process with one thread, and
// the owner may have several: the launcher has one, because it comes from the C library's fork().
// The executor is a fork without an exec, so it has the memory of the owner at that moment (start
// it early), and it must not return into the owner's code: it ends by sys_exit.
//
//     setting up   die with the owner; own session; reserved_fds; ids; the template     -> Progress
//     a Request    end the last world, perform the steps in a fresh one                 -> Progress
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
#include <memory>

#include "check/driver/kernel_coverage.h"
#include "check/driver/task_context.h"
#include "syscalls/capabilities.h"
#include "check/driver/wire.h"
#include "check/driver/fresh_world.h"

namespace pivotcheck::kernel {
namespace {

// What the executor has from its owner.
struct ExecutorArgs {
  Privilege privilege;
  ExecutorMain main;
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

// Only the socket, stderr and /proc stay; an inherited copy of another KernelDriver's socket would
// hide from that KernelDriver's executor that its owner is gone.
SetupError reserve_fds(const ExecutorArgs& args) {
  constexpr int aside = 16;  // beyond reserved_fds: no move lands on what is still to be moved
  const int socket = ::fcntl(args.socket, F_DUPFD_CLOEXEC, aside);
  const int proc_anywhere = ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc_anywhere < 0) return setup_error("opening /proc");
  const int proc = ::fcntl(proc_anywhere, F_DUPFD_CLOEXEC, aside);
  if (socket < 0 || proc < 0) return setup_error("fcntl F_DUPFD_CLOEXEC");
  if (::dup3(socket, reserved_fds::owner, O_CLOEXEC) < 0 ||
      ::dup3(proc, reserved_fds::proc, O_CLOEXEC) < 0) {
    return setup_error("dup3");
  }
  // Without a stderr, something else of ours may have its number, and no text must go there.
  if (!args.has_stderr && ::dup3(proc, STDERR_FILENO, O_CLOEXEC) < 0) return setup_error("dup3");
  return sys_close_from(STDERR_FILENO + 1) == 0 ? no_setup_error : setup_error("close_range");
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The owner may have ended already, and then no signal of its death comes. The socket shows it.
bool owner_is_gone() {
  char byte = 0;
  return ::recv(reserved_fds::owner, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

SetupError set_up(const ExecutorArgs& args, TaskContext& context) {
  forget_signal_handlers();
  ::setsid();  // Ctrl-C is for the owner; when that ends, so do we
  ::umask(0);
  raise_descriptor_limit();
  if (args.privilege == Privilege::userns) {
    // Before anything is done on a tmpfs: without ids it would answer EOVERFLOW.
    if (const SetupError refused = map_ids(args.uid, args.gid)) return refused;
  }
  if (!sys_become_root()) return setup_error("setresgid or setresuid");
  // Both after every change of ids, which undoes them (a new user namespace does not).
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
    return setup_error("prctl PR_SET_PDEATHSIG");
  }
  if (owner_is_gone()) sys_exit(0);
  if (const SetupError refused = open_kernel_coverage()) return refused;
  const bool locked = args.privilege == Privilege::userns;
  if (const SetupError refused = make_template(locked)) return refused;
  return args.privilege == Privilege::root ? find_rootfs(context.rootfs.emplace()) : no_setup_error;
}

// --- in the executor: requests -------------------------------------------------------------------

// `running`: what the world of the last request was made from, and from now on that of this one.
// Its tasks share the executor's memory and may look at it until they are killed: one that passed
// the turn on may have been put aside by the scheduler before it saw that all is over.
Expected<Progress> perform_request(TaskContext& context, const Bytes& body,
                                   std::unique_ptr<const Batch>& running) {
  Expected<Request> request = decode_request(body);
  if (!request) return std::unexpected(std::move(request.error()));
  TaskPlan plan = plan_tasks(request->steps);
  if (const SetupError refused = end_world(context, request->steps.size())) {
    return fail(to_string(refused));
  }
  running = std::make_unique<const Batch>(std::move(*request), std::move(plan));
  run_in_fresh_namespace(context, *running);
  return context.schedule->progress();
}

void serve_requests(TaskContext& context, int owner) {
  Bytes body;
  std::unique_ptr<const Batch> running;
  while (receive_frame(owner, body, {}) == IoStatus::ok) {
    const Expected<Progress> progress = perform_request(context, body, running);
    if (send_frame(owner, encode(progress), {}) != IoStatus::ok || !progress) return;
  }
}

[[noreturn]] void run_executor(const ExecutorArgs& args) {
  TaskContext context;
  SetupError refused = reserve_fds(args);
  const int owner = refused ? args.socket : reserved_fds::owner;
  if (!refused) refused = set_up(args, context);
  context.schedule = SharedSchedule::make(0);
  if (!refused && context.schedule == nullptr) refused = setup_error("mmap of shared memory");
  const Expected<Progress> ready = refused ? fail(to_string(refused)) : Expected<Progress>();
  if (send_frame(owner, encode(ready), {}) == IoStatus::ok && ready) {
    (args.main == nullptr ? serve_requests : args.main)(context, owner);
  }
  sys_exit(0);
}

// --- in the launcher -----------------------------------------------------------------------------

struct CloneResult {
  pid_t pid;
  int error;
};

[[noreturn]] void run_launcher(const ExecutorArgs& args, int result_pipe) {
  unsigned long flags = CLONE_PARENT | CLONE_NEWPID | CLONE_NEWNS;
  if (args.privilege == Privilege::userns) flags |= CLONE_NEWUSER;
  CloneResult cloned{sys_fork(flags), 0};
  if (cloned.pid == 0) run_executor(args);
  if (cloned.pid < 0) cloned.error = errno;
  const bool sent = ::write(result_pipe, &cloned, sizeof(cloned)) == sizeof(cloned);
  sys_exit(sent ? 0 : 1);
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

SetupError end_world(TaskContext& context, std::size_t steps) {
  const SharedSchedule& schedule = *context.schedule;
  for (int number = 0; number < SharedSchedule::no_task; ++number) {
    const pid_t pid = schedule.pid(number);
    if (pid > 1) ::kill(pid, SIGKILL);  // 1 is the executor; all are its children, unreaped
  }
  while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
  if (sys_close_from(reserved_fds::first_free) != 0) return setup_error("close_range");
  if (const SetupError refused = return_to_template()) return refused;
  if (schedule.capacity() >= steps) return no_setup_error;
  SharedSchedule::unmake(context.schedule);
  context.schedule = SharedSchedule::make(steps);
  if (context.schedule == nullptr) sys_exit(1);
  return no_setup_error;
}

void run_in_fresh_namespace(TaskContext& context, const Batch& batch) {
  SharedSchedule& schedule = *context.schedule;
  context.batch = &batch;
  context.handles.clear();
  context.is_in_user_ns_of_world = false;
  context.number = batch.plan.first_is_forked ? SharedSchedule::no_task : 0;
  schedule.open(batch, context.number);
  if (batch.plan.first_is_forked) {
    // The executor itself stays in the template: its root and current directory would keep mounts
    // of the world busy, like those of one more task.
    if (const SetupError refused = fork_task(context, 0, true)) schedule.give_up(refused);
  } else if (const SetupError refused = enter_fresh_world()) {
    schedule.give_up(refused);
  } else {
    schedule.enter(0, ::getpid(), outer_pid());
  }
  task_loop(context);
  // A task was killed from outside, perhaps after its last turn: nothing later can be relied on.
  if (batch.plan.own_memory.size() > 1 && SharedSchedule::some_child_is_dead()) {
    schedule.give_up({"a task died of itself", 0});
  }
}

Expected<Executor> launch_executor(Privilege privilege, ExecutorMain main) {
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
  const UniqueFd result_from(pipe_ends[0]);
  UniqueFd result_to(pipe_ends[1]);

  const pid_t launcher = ::fork();
  if (launcher < 0) return fail("fork: " + errno_name(errno));
  if (launcher == 0) {
    ours.reset();  // or the executor would never see the owner's end closed
    run_launcher({privilege, main, theirs.get(), has_stderr}, result_to.get());
  }
  theirs.reset();
  result_to.reset();
  CloneResult cloned{-1, EIO};
  const bool received = ::read(result_from.get(), &cloned, sizeof(cloned)) == sizeof(cloned);
  ::waitpid(launcher, nullptr, 0);
  if (!received) return fail("the process that starts the executor died");
  if (cloned.pid < 0) return no_namespaces(privilege, cloned.error);
  Executor executor{cloned.pid, UniqueFd(sys_pidfd_open(cloned.pid)), std::move(ours)};
  if (!executor.pidfd) return fail("pidfd_open: " + errno_name(errno));
  return executor;
}

}  // namespace pivotcheck::kernel

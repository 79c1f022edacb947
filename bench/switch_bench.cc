// SPDX-License-Identifier: Apache-2.0
// switch_bench.cc: what switching root costs with one setting: a batch of cycles, in a process that
// they change for good and that ends then. bench/run.py starts it for each setting in each round.
//
// A setting is a strategy and the old tree that it works in: a mount namespace with so many mounts,
// of one propagation, and a directory to be the new root.
//
//     /          a tmpfs that no other namespace has
//     |-- new    the new root, a directory: bin/, proc/
//     |-- proc   a bind of the machine's, where three mounts or more are asked for
//     '-- m/N    binds of one directory, until there are enough
//
// One cycle of it:
//
//     the old tree -- fork -- namespaces -- propagation -- bind -- pivot -- detach -- teardown
//     (not timed)     |<-------------------- setup ----------------------->|        |
//                     |<----------------------------- cycle ----------------------->|
//
// Cycles are timed in turn phase by phase and as a whole, so that reading the clocks between adds
// nothing to `setup` and `cycle`. The setting is a benchmark of Google Benchmark with manual time,
// an iteration one cycle of either sort. The label has all parts, with a number for each cycle:
//
//     {"pivot": {"wall_us": [...], "cpu_us": [...]}, ...}
//
//     switch_bench --strategy NAME [--mode thread|exits] [--mounts N] ...
//     switch_bench --draw ...          the world after the last step of that setting, as text
//     switch_bench --strategies        the names of all, a line each
//     switch_bench --library ROUNDS    what the library costs on top of the system calls it makes
//
// Exit status: 0, 2 for bad usage, 3 if a step failed.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/unique_fd.h"
#include "observe/observe.h"
#include "scenario/scenario.h"
#include "switch/launch.h"
#include "switch/root_switch.h"
#include "switch/mask_proc.h"
#include "switch/step_executor.h"
#include "syscalls/id_maps.h"
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"
#include "view/draw.h"

namespace {

using namespace pivotcheck;
using rootswitch::StepExecutor;
using strategy::Phase;
using strategy::Steps;
using strategy::SwitchStep;
namespace fs = std::filesystem;

constexpr unsigned deadline_seconds = 60;  // the longest batch, with 3000 mounts, takes one

// --- settings ------------------------------------------------------------------------------------

// What performs the steps: a thread, which goes back with setns and so destroys the namespace that
// it leaves; or a forked child, which exits afterwards.
enum class ExecMode : unsigned char { thread, exits };
enum class Tree : unsigned char { private_, slave, shared };
enum class UserNamespace : unsigned char { none, unmapped, mapped };

struct Setting {
  Strategy strategy = Strategy::dot_dot;
  bool own_mounts = false;  // chroot in a mount namespace of its own, which it can do without
  bool by_hand = false;     // by raw system calls prepared before, not by the library
  ExecMode mode = ExecMode::thread;
  unsigned mounts = 30;  // in the old tree
  Tree tree = Tree::private_;
  unsigned peers = 0;  // other namespaces with a peer of each mount; Tree::shared only
  UserNamespace user = UserNamespace::none;
  // Real work that is added to one phase, in percent of what it takes: a comparison must notice it.
  std::pair<std::string, double> slow;
};

// What a clock shows, or what passed between two looks at it.
struct Cost {
  double wall_us = 0;
  double cpu_us = 0;  // of the thread, or of the child

  Cost operator+(const Cost& more) const { return {wall_us + more.wall_us, cpu_us + more.cpu_us}; }
  Cost operator-(const Cost& from) const { return {wall_us - from.wall_us, cpu_us - from.cpu_us}; }
};
// Of one cycle, by part.
using Sample = std::map<std::string, Cost, std::less<>>;

// --- clocks and steps ----------------------------------------------------------------------------

double read_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

Cost now() { return {read_us(CLOCK_MONOTONIC), read_us(CLOCK_THREAD_CPUTIME_ID)}; }

// At the end of a child, which used all this.
Cost now(const rusage& usage) {
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return {read_us(CLOCK_MONOTONIC), us(usage.ru_utime) + us(usage.ru_stime)};
}

template <class Action>
bool is(const SwitchStep& step) {
  return std::holds_alternative<Action>(step.action);
}

// The flag of a clone that does this step; 0 if no clone can.
unsigned long flag_of_clone(const SwitchStep& step) {
  if (is<strategy::NewPidNamespace>(step)) return CLONE_NEWPID;
  const auto* op = std::get_if<Op>(&step.action);
  const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
  return unshare != nullptr && unshare->kinds.has(NamespaceKind::user) ? CLONE_NEWUSER : 0;
}

std::string part_of(Phase phase) {
  return std::string(name(phase)) + (phase == Phase::namespaces ? "s" : "");
}

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "switch_bench: %s\n", what.c_str());
  std::exit(3);
}

[[noreturn]] void refused(const std::string& what, int error) {
  stop(what + ": " + errno_name(error));
}

void perform_scenario(const std::string& text) {
  StepExecutor executor({});
  const Scenario scenario = parse(text).value();
  for (const ScenarioStep& line : scenario.steps) {
    const int error = executor.perform({.action = line.step.op});
    if (error != 0) refused("the old tree: " + print(line.step), error);
  }
}

// --- raw system calls ----------------------------------------------------------------------------

// The steps of a strategy as system calls whose arguments are ready: what the same sequence costs
// at the least. Nothing is looked up, chosen or checked while it runs.
class RawSyscalls {
 public:
  // Refers to `steps`, which must stay where they are. A step without translation is an error of
  // this program's.
  explicit RawSyscalls(const strategy::Steps& steps) {
    for (const strategy::SwitchStep& step : steps) {
      calls_.push_back(std::visit(Translator{*this}, step.action));
      PIVOTCHECK_CHECK(calls_.back());
    }
  }

  // A namespace that `setns` finds under this task's name; the new root under "".
  void bind(std::string_view task, int fd) {
    if (const auto found = fds_.find(task); found != fds_.end()) found->second = fd;
  }

  // 0, or the errno of the first call that was refused. Steps that are about processes make no
  // call: the caller does those.
  int perform(std::size_t step) const { return calls_[step]() < 0 ? errno : 0; }

 private:
  using Call = std::function<long()>;  // as syscall(2): -1 and errno for a refusal

  // An argument as the call gets it: a descriptor is what lies at its address by then.
  static long value(int* descriptor) { return *descriptor; }
  static auto value(auto argument) { return argument; }

  template <class... Arguments>
  static Call call(long number, Arguments... arguments) {
    return [=] { return ::syscall(number, value(arguments)...); };
  }
  static Call mount(const char* source, const Path& target, unsigned long flags) {
    return call(SYS_mount, source, target.text.c_str(), nullptr, flags, nullptr);
  }
  static Call both(Call first, Call second) {
    return [=] { return first() < 0 ? -1L : second(); };
  }
  static Call store(Call make, int* descriptor) {
    return [=] { return *descriptor = static_cast<int>(make()); };
  }

  // One function for each operation, in the order of op/op.h, then the steps that have no verb.
  struct Translator {
    RawSyscalls& self;

    int* fd(std::string_view name) {
      return &self.fds_.try_emplace(std::string(name), -1).first->second;
    }
    // Where a path begins.
    int* start(const Path& path) {
      static int working_directory = AT_FDCWD;
      return path.handle.empty() ? &working_directory : fd(path.handle);
    }
    // A call with a path that may begin at a descriptor.
    Call at_call(long number, const Path& path, long argument) {
      return call(number, start(path), kernel::text_for_at(path), argument);
    }

    Call operator()(const Mkdir& op) { return at_call(SYS_mkdirat, op.path, 0755); }
    Call operator()(const Rmdir& op) { return at_call(SYS_unlinkat, op.path, AT_REMOVEDIR); }
    Call operator()(const Move& op) { return mount(op.source.text.c_str(), op.target, MS_MOVE); }
    template <OneOf<ChangePropagation, Remount> T>
    Call operator()(const T& op) {
      return mount("none", op.path, kernel::flags_of(op));
    }
    Call operator()(const Umount& op) {
      return call(SYS_umount2, op.path.text.c_str(), kernel::flags_of(op));
    }
    Call operator()(const PivotRoot& op) {
      return call(SYS_pivot_root, op.new_root.text.c_str(), op.put_old.text.c_str());
    }
    Call operator()(const Chroot& op) { return call(SYS_chroot, op.path.text.c_str()); }
    Call operator()(const Chdir& op) { return call(SYS_chdir, op.path.text.c_str()); }
    Call operator()(const Open& op) {
      return store(at_call(SYS_openat, op.path, O_PATH | O_CLOEXEC), fd(op.handle.text));
    }
    Call operator()(const Fchdir& op) { return call(SYS_fchdir, fd(op.handle.text)); }
    Call operator()(const Close& op) { return call(SYS_close, fd(op.handle.text)); }
    Call operator()(const Unshare& op) { return call(SYS_unshare, kernel::flags_of(op)); }
    Call operator()(const Setns& op) {
      return call(SYS_setns, fd(op.task.text), kernel::flags_of(op));
    }
    Call operator()(const OpenTree& op) {
      return store(at_call(SYS_open_tree, op.path, kernel::flags_of(op)), fd(op.handle.text));
    }
    Call operator()(const MoveMount& op) {
      return call(SYS_move_mount, start(op.source), kernel::text_for_at(op.source),
                  start(op.target), kernel::text_for_at(op.target), kernel::flags_of(op));
    }
    Call operator()(const MountSetattr& op) {
      return [from = start(op.path), path = kernel::text_for_at(op.path),
              flags = kernel::flags_of(op), change = kernel::attributes_of(op.change)] {
        return kernel::mount_api::mount_setattr(*from, path, flags, change);
      };
    }
    Call fsmount(const char* type, unsigned attributes, const HandleName& handle) {
      return store([=] { return kernel::mount_api::new_mount(type, attributes); }, fd(handle.text));
    }
    Call operator()(const Fsmount& op) {
      return fsmount(kernel::type_name(op.type), kernel::attribute_flags(op.flags), op.handle);
    }
    Call operator()(const strategy::EnterRoot&) { return call(SYS_fchdir, fd("")); }
    Call operator()(const strategy::OpenTreeNoLinks& step) {
      static const open_how how{O_PATH | O_CLOEXEC, 0, RESOLVE_NO_SYMLINKS};
      return [&op = step.call, from = start(step.call.path), to = fd(step.call.handle.text)] {
        const UniqueFd found(kernel::sys_openat2(*from, kernel::text_for_at(op.path), how));
        const unsigned flags = kernel::flags_of(op) | AT_EMPTY_PATH;
        return long{*to = kernel::mount_api::open_tree(found.get(), "", flags)};
      };
    }
    Call operator()(const strategy::MakePrivateDirectory& step) {
      return both(at_call(SYS_mkdirat, step.path, 0700),
                  both(store(at_call(SYS_openat, step.path, O_RDONLY | O_DIRECTORY),
                             fd(step.lock.text)),
                       call(SYS_flock, fd(step.lock.text), LOCK_EX)));
    }
    Call operator()(const strategy::OpenInRoot& step) {
      static const open_how how{O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
      return store(call(SYS_openat2, fd(step.root.text), step.path.c_str(), &how, sizeof(how)),
                   fd(step.handle.text));
    }
    Call operator()(const strategy::NewProc& step) {
      return fsmount("proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, step.handle);
    }
    Call operator()(const strategy::AttachNew& step) {
      const Call move = (*this)(MoveMount{{step.mount.text, ""}, {step.target.text, ""}, {}});
      return step.keep ? move : both(move, call(SYS_close, fd(step.mount.text)));
    }
    Call operator()(const strategy::CloneNull& step) {
      const AttributeChange change{.set = {}, .clear = {}, .propagation = Propagation::private_};
      const Call open = call(SYS_open_tree, AT_FDCWD, "/dev/null", OPEN_TREE_CLONE);
      return both(store(open, fd(step.handle.text)),
                  (*this)(MountSetattr{{step.handle.text, ""}, change, {}}));
    }
    Call operator()(const strategy::MaskProc& step) {
      return [proc = fd(step.proc.text), null = fd(step.null.text)] {
        const UniqueFd first(*proc), second(*null);
        errno = rootswitch::mask_proc(*proc, *null);
        return errno == 0 ? 0L : -1L;
      };
    }
    Call operator()(const Op& op) { return std::visit(*this, op); }
    template <class Step>
    Call operator()(const Step&) {
      if (rootswitch::AboutProcesses<Step>) return [] { return 0L; };
      return nullptr;  // no strategy has it
    }
  };

  std::vector<Call> calls_;                      // one for each step
  std::map<std::string, int, std::less<>> fds_;  // calls keep pointers to the values
};

// --- cycles --------------------------------------------------------------------------------------

// What a strategy is asked for in the old tree.
strategy::Plan plan_for(const Setting& setting) {
  strategy::Plan plan;
  plan.contents = {{.name = "bin"}, {.name = "proc"}};  // directories
  plan.user_namespace = setting.user != UserNamespace::none;
  plan.mount_namespace = setting.own_mounts;
  return plan;
}

// One in memory that forked children share; it goes with the process.
template <class T>
T& shared_memory() {
  void* memory =
      ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return *new (memory) T;
}

// The old tree, and the setting's strategy performed in it again and again.
class Cycles {
 public:
  // The process is in the old tree afterwards.
  explicit Cycles(const Setting& setting) : setting_(setting) {
    build_old_tree();
    root_.reset(::open("/new", O_PATH | O_CLOEXEC));
    steps_ = measured(strategy::steps(setting.strategy, plan_for(setting)));
    while (const auto flag = flag_of_clone(steps_[clone_steps_])) {
      clone_flags_ |= flag;
      ++clone_steps_;
    }
    if (setting.mode == ExecMode::thread && clone_flags_ != 0) {
      stop("a thread can't: it takes a process that is born into its PID or user namespace");
    }
    if (setting.strategy == Strategy::template_) prepare_template();
    if (!setting.by_hand) return;
    raw_.emplace(steps_);
    bind_namespaces(*raw_);
  }

  // One cycle; `phases`: part by part, else `setup` and `cycle` as a whole.
  Sample run(bool phases) {
    static Trace& trace = shared_memory<Trace>();
    trace = {};
    setting_.mode == ExecMode::thread ? in_thread(trace, phases) : in_child(trace, phases);
    stop_if_refused(trace);
    return sample_of(trace, phases);
  }

  // The steps alone, in this process, which stays where they lead.
  void perform_steps() {
    Trace trace;
    perform_all(trace, 0, false);
    stop_if_refused(trace);
  }

  // What it cost to make the namespaces that template makes once for many switches.
  [[nodiscard]] const Cost& preparation() const { return preparation_; }

 private:
  // In memory that a child shares.
  struct Trace {
    Cost begun;  // of a child: the fork
    Cost ready;  // to perform the first step
    std::array<Cost, static_cast<std::size_t>(Phase::teardown)> phases;  // what each took
    Cost last;                                                           // after the last step
    Cost end;
    std::size_t step = 0;
    int error = 0;  // of this step; 0: nothing was refused
  };

  // Where the template's namespaces are open, once it is prepared; all but the last only with a
  // user namespace, which has a copy of the old tree, and the new root in that.
  enum TemplateDescriptor : int { user = 900, copy, copied_root, empty_root };

  void stop_if_refused(const Trace& trace) const {
    if (trace.error != 0) refused(describe(steps_[trace.step]), trace.error);
  }

  // --- before the cycles

  void build_old_tree() {
    proc_.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    ::umask(0);
    std::string text = "unshare mnt\nmake-rprivate /\nmount tmpfs /tmp\n";
    for (const char* path : {"new", "new/bin", "new/proc", "proc", "dev", "m", "s"}) {
      text += std::string("mkdir /tmp/") + path + "\n";
    }
    text += "touch /tmp/dev/null\n";  // what hides parts of a new /proc; nothing is written to it
    if (setting_.mounts >= 3) text += "rbind /proc /tmp/proc\n";
    text += "chdir /tmp\npivot_root . .\numount . detach\nchdir /\n";
    for (unsigned have = setting_.mounts >= 3 ? 2 : 1; have < setting_.mounts; ++have) {
      const std::string place = "/m/" + std::to_string(have);
      text += "mkdir " + place + "\nbind /s " + place + "\n";
    }
    if (setting_.tree != Tree::private_) text += "make-rshared /\n";
    perform_scenario(text);

    // Peers are in copies of this namespace; a slave has its master in one.
    here_ = open_own("mnt");
    const unsigned others = setting_.tree == Tree::slave ? 1 : setting_.peers;
    for (unsigned i = 0; i < others; ++i) {
      if (::unshare(CLONE_NEWNS) != 0) refused("the old tree: unshare of a peer", errno);
      peers_.push_back(open_own("mnt"));
      if (::setns(here_.get(), CLONE_NEWNS) != 0) refused("the old tree: setns", errno);
    }
    if (setting_.tree == Tree::slave) perform_scenario("make-rslave /\n");
  }

  // Without what a cycle does not do: it confines and executes nothing.
  Steps measured(Steps steps) const {
    std::erase_if(steps, [&](const SwitchStep& step) {
      return step.phase == Phase::start ||
             (is<strategy::MapIds>(step) && setting_.user == UserNamespace::unmapped);
    });
    return steps;
  }

  UniqueFd open_own(const char* name_space) const {
    const std::string path = std::string("thread-self/ns/") + name_space;
    return UniqueFd(::openat(proc_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  // 0 or an errno, as perform().
  int map_own_ids() const {
    if (kernel::map_root({.proc = proc_.get()}, 0, 0) != nullptr) return errno;
    return kernel::sys_become_root() ? 0 : errno;
  }

  // Ends with 0 or an errno. What it opens stays: our table of descriptors is shared.
  [[noreturn]] void prepare_in_child(const Steps& steps) const {
    const auto keep = [&](const char* name_space, TemplateDescriptor number) {
      return ::dup3(open_own(name_space).get(), number, O_CLOEXEC) < 0 ? errno : 0;
    };
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    StepExecutor executor(steps);
    executor.bind("", root_.get());
    int error = 0;
    for (const SwitchStep& step : steps) {
      if (const auto* kept = std::get_if<strategy::KeepNamespace>(&step.action)) {
        const bool is_copy = kept->name.text == "C";
        if (is_copy) error = keep("user", user);
        if (is_copy) ::dup3(UniqueFd(::open(".", O_PATH)).get(), copied_root, O_CLOEXEC);
        if (error == 0) error = keep("mnt", is_copy ? copy : empty_root);
      } else if (is<strategy::MapIds>(step)) {
        error = map_own_ids();
      } else if (const unsigned long flag = flag_of_clone(step); flag != 0) {
        error = ::unshare(static_cast<int>(flag)) == 0 ? 0 : errno;
      } else {
        error = executor.perform(step);
      }
      if (error != 0) break;
    }
    kernel::sys_exit(error);
  }

  void prepare_template() {
    const Steps steps = measured(strategy::template_preparation(plan_for(setting_)));
    const Cost begun = now();
    const pid_t pid = kernel::sys_fork(CLONE_FILES | SIGCHLD);
    if (pid == 0) prepare_in_child(steps);
    int status = 0;
    ::waitpid(pid, &status, 0);
    preparation_ = now() - begun;
    if (pid < 0 || status != 0) refused("template: the preparation failed", WEXITSTATUS(status));
  }

  // --- one cycle

  void bind_namespaces(auto& performer) const {
    const bool in_copy = ::fcntl(copied_root, F_GETFD) >= 0;
    performer.bind("", in_copy ? +copied_root : root_.get());
    performer.bind("C", copy);
    performer.bind("T", empty_root);
  }

  int perform(std::size_t index) {
    const SwitchStep& step = steps_[index];
    if (is<strategy::NewPidNamespace>(step)) return 0;  // the clone made it
    if (is<strategy::MapIds>(step)) return map_own_ids();
    if (rootswitch::needs_launcher(step)) {  // setns user
      if (::setns(user, CLONE_NEWUSER) != 0) return errno;
      kernel::sys_become_root();
      return 0;
    }
    return raw_ ? raw_->perform(index) : library_->perform(step);
  }

  void perform_all(Trace& trace, std::size_t first, bool phases) {
    if (!raw_) bind_namespaces(library_.emplace(steps_));
    trace.ready = now();
    Cost before = trace.ready;
    for (std::size_t i = first; i < steps_.size(); ++i) {
      trace.step = i;
      trace.error = perform(i);
      if (trace.error != 0) return;
      const Phase phase = steps_[i].phase;
      if (!phases || (i + 1 < steps_.size() && steps_[i + 1].phase == phase)) continue;
      if (part_of(phase) == setting_.slow.first) {
        const double done = read_us(CLOCK_MONOTONIC);
        const double until = done + (done - before.wall_us) * setting_.slow.second / 100;
        while (read_us(CLOCK_MONOTONIC) < until) ::syscall(SYS_getppid);
      }
      const Cost after = now();
      Cost& cost = trace.phases[static_cast<std::size_t>(phase)];
      cost = cost + (after - before);
      before = after;
    }
    trace.last = now();
  }

  void in_thread(Trace& trace, bool phases) {
    perform_all(trace, 0, phases);
    trace.begun = trace.ready;
    if (::setns(here_.get(), CLONE_NEWNS) != 0) std::abort();
    trace.end = now();
  }

  // The child's processor time begins with the clone.
  void in_child(Trace& trace, bool phases) {
    trace.begun = {read_us(CLOCK_MONOTONIC), 0};
    const pid_t pid = kernel::sys_fork(clone_flags_ | SIGCHLD);
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      perform_all(trace, clone_steps_, phases);
      kernel::sys_exit(0);
    }
    rusage usage{};
    int status = pid < 0 ? -1 : 0;
    ::wait4(pid, &status, 0, &usage);
    trace.end = now(usage);
    if (trace.error == 0 && status != 0) trace.error = ECHILD;
  }

  // The setup begins with the clone where that makes namespaces.
  Sample sample_of(const Trace& trace, bool phases) const {
    if (!phases) {
      return Sample{{"setup", trace.last - (clone_flags_ != 0 ? trace.begun : trace.ready)},
                    {"cycle", trace.end - trace.begun}};
    }
    Sample sample{{"teardown", trace.end - trace.last}};
    if (setting_.mode == ExecMode::exits) sample["fork"] = trace.ready - trace.begun;
    for (std::size_t i = 0; i < trace.phases.size(); ++i) {
      if (trace.phases[i].wall_us > 0) sample[part_of(static_cast<Phase>(i))] = trace.phases[i];
    }
    return sample;
  }

  Setting setting_;
  UniqueFd proc_;                // the machine's /proc, which is not in the old tree
  UniqueFd root_;                // the new root, in the old tree
  UniqueFd here_;                // the old tree's mount namespace
  std::vector<UniqueFd> peers_;  // the namespaces with peers of its mounts
  strategy::Steps steps_;
  unsigned long clone_flags_ = 0;  // of the namespaces that clone makes instead of the first steps
  std::size_t clone_steps_ = 0;
  Cost preparation_;
  std::optional<rootswitch::StepExecutor> library_;
  std::optional<RawSyscalls> raw_;
};

template <class T, class E>
T or_stop(std::expected<T, E> result) {
  if (result) return *std::move(result);
  if constexpr (std::is_same_v<E, Failure>) {
    stop(result.error().what);
  } else {
    stop(result.error().message);
  }
}

// Ordinary users are root in a user namespace of their own.
Cycles make_cycles(const Setting& setting) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (uid != 0 && (::unshare(CLONE_NEWUSER) != 0 || kernel::map_root({}, uid, gid) != nullptr)) {
    stop("no privileges, and no user namespace");
  }
  return Cycles(setting);
}

void measure(benchmark::State& state, const Setting& setting) {
  Cycles measured = make_cycles(setting);
  nlohmann::json report;
  const auto add = [&](const std::string& part, const Cost& cost) {
    report[part]["wall_us"].push_back(cost.wall_us);
    report[part]["cpu_us"].push_back(cost.cpu_us);
  };
  for (const bool phases : {false, true}) measured.run(phases);  // warms up
  if (setting.strategy == Strategy::template_) add("prepare", measured.preparation());
  for (auto _ : state) {
    const auto whole = measured.run(false);
    for (const auto& [part, cost] : whole) add(part, cost);
    for (const auto& [part, cost] : measured.run(true)) add(part, cost);
    state.SetIterationTime(whole.at("cycle").wall_us / 1e6);
  }
  state.SetLabel(report.dump());
}

// --- drawing -------------------------------------------------------------------------------------

int draw_world_at_the_end(const Setting& setting) {
  Cycles cycles = make_cycles(setting);
  const auto observer = or_stop(Observer::make());
  cycles.perform_steps();
  const std::vector<LiveTask> tasks{{.name = "A", .pid = ::getpid(), .handles = {}}};
  const auto seen = or_stop(observer.observe(tasks, Source::mountinfo));
  for (const std::string& line : draw(canonical(seen.snapshot))) std::puts(line.c_str());
  return 0;
}

std::vector<std::string> all_strategies() {
  std::vector<std::string> names;
  for (const StrategyInfo& row : strategies()) names.emplace_back(row.name);
  names.emplace_back("chroot+mnt");  // like for like with the others
  return names;
}

// --- the library, beside its bare system calls ---------------------------------------------------
//
// Each strategy in a mount namespace; with a user namespace and one id, too; and with a PID one as
// well. Each twice: as raw system calls between the cheapest clone that does and an execve, and by
// RootSwitch. Both start a static true in the new root and wait.
//
// By hand there are the calls of every step, and a parent that is suspended until the exec, as by
// vfork. There is nothing of what makes a library: no report of what was refused, no pidfd, no
// signals blocked and no handlers reset, an init that only waits. So the ratio says what all that
// costs.
//
// CPU time of this process and its children, in batches that alternate, so that what else the
// machine does meets both; the median of the rounds' ratios counts. All on one CPU, because a child
// that wakes up on another one makes a difference of ten per cent.

constexpr int batch = 50;  // enough for the CPU clock, which counts microseconds

// Prepared once; run() may be called any number of times.
class ByHand {
 public:
  ByHand(Strategy strategy, rootswitch::Inspected checked)
      : root_(std::move(checked.root)), steps_(strategy::steps(strategy, checked.plan)) {
    std::erase_if(steps_, [&](const SwitchStep& step) {
      const unsigned long flag = flag_of_clone(step);
      flags_ |= flag;
      return flag != 0;
    });
    calls_.emplace(steps_).bind("", root_.get());
  }

  [[gnu::noinline]] void run() const {
    const pid_t child = flags_ == 0 ? ::vfork() : kernel::sys_fork(flags_ | CLONE_VFORK | SIGCHLD);
    if (child == 0) become_command();
    int status = 0;
    ::waitpid(child, &status, 0);
    if (child < 0 || status != 0) stop("the system calls by hand failed");
  }

 private:
  [[noreturn]] void become_command() const {
    char name[] = "/bin/true";
    char* const words[] = {name, nullptr};
    bool ok = true;
    for (std::size_t i = 0; ok && i < steps_.size(); ++i) {
      if (is<strategy::MapIds>(steps_[i])) {
        ok = kernel::map_root({}, uid_, gid_) == nullptr && kernel::sys_become_root();
      } else if (is<strategy::DropPrivileges>(steps_[i])) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if ((flags_ & CLONE_NEWPID) != 0) {  // this process stays init, and ends as the command did
          const pid_t command = kernel::sys_fork(SIGCHLD);
          int status = 0;
          if (command != 0) ::waitpid(command, &status, 0);
          if (command != 0) kernel::sys_exit(status == 0 ? 0 : 125);
        }
        ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
      } else if (is<strategy::Execute>(steps_[i])) {
        ::execve(name, words, environ);
        ok = false;
      } else {
        ok = calls_->perform(i) == 0;
      }
    }
    kernel::sys_exit(125);
  }

  UniqueFd root_;
  strategy::Steps steps_;
  std::optional<RawSyscalls> calls_;
  unsigned long flags_ = 0;
  uid_t uid_ = ::geteuid();
  gid_t gid_ = ::getegid();
};

double batch_us(const std::function<void()>& run) {
  const auto used = [](int who) {
    rusage usage{};
    ::getrusage(who, &usage);
    return now(usage).cpu_us;
  };
  const double before = used(RUSAGE_SELF) + used(RUSAGE_CHILDREN);
  for (int i = 0; i < batch; ++i) run();
  return (used(RUSAGE_SELF) + used(RUSAGE_CHILDREN) - before) / batch;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void compare_all(const char* namespaces, SwitchOptions options, int rounds) {
  const Command command{.arguments = {"/bin/true"}, .environment = {}, .signal_mask = {}};
  std::vector<double> all;
  for (const StrategyInfo& known : strategies()) {
    // The template's namespaces are made before; it is timed apart from the rest.
    if (known.strategy == Strategy::template_) continue;
    if (known.strategy == Strategy::proc_first && !options.pid_namespace) continue;
    options.strategy = known.strategy;
    const ByHand hand(options.strategy, or_stop(rootswitch::inspect(options)));
    const auto root = or_stop(RootSwitch::make(options));
    const auto run_by_library = [&] {
      if (or_stop(or_stop(root.start(command)).wait()).code != 0) stop("the library failed");
    };
    std::vector<double> by_hand, library, ratios;
    for (int round = 0; round < rounds; ++round) {
      if (round % 2 == 0) by_hand.push_back(batch_us([&] { hand.run(); }));
      library.push_back(batch_us(run_by_library));
      if (round % 2 != 0) by_hand.push_back(batch_us([&] { hand.run(); }));
      ratios.push_back(library.back() / by_hand.back());
    }
    all.push_back(median(ratios));
    std::printf("| %s | %s | %.1f | %.1f | %.3f |\n", known.name.data(), namespaces,
                median(by_hand), median(library), all.back());
  }
  std::printf("| median of these | %s | | | %.3f |\n", namespaces, median(all));
}

// Prints the table of bench/RESULTS.md.
int compare_library(int rounds) {
  static std::string folder = (fs::temp_directory_path() / "pivotcheck-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) stop("no folder for temporary files");
  std::atexit([] { fs::remove_all(folder); });
  fs::create_directories(folder + "/bin");
  fs::create_directory(folder + "/proc");  // proc-first mounts one there
  fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "static_true",
                folder + "/bin/true");
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &here);
  if (::sched_setaffinity(0, sizeof(here), &here) != 0) std::perror("switch_bench: one CPU");

  std::printf(
      "CPU time of a switch and a static true in microseconds, medians of %d rounds of %d\n"
      "\n| strategy | namespaces | by hand | library | ratio |\n"
      "| --- | --- | --- | --- | --- |\n",
      rounds, batch);
  SwitchOptions options;
  options.new_root = folder;
  if (::geteuid() == 0) compare_all("mount", options, rounds);
  options.user_namespace = true;
  options.uid_map = {{.inside = 0, .outside = ::geteuid(), .count = 1}};
  options.gid_map = {{.inside = 0, .outside = ::getegid(), .count = 1}};
  compare_all("mount, user", options, rounds);
  options.pid_namespace = true;
  compare_all("mount, user, pid", options, rounds);
  return 0;
}

// --- the command ---------------------------------------------------------------------------------

template <class Enum>
void choice(CLI::App& app, const char* option, Enum& value, std::vector<std::string> names,
            const char* what) {
  std::vector<std::pair<std::string, Enum>> values;
  for (std::size_t i = 0; i < names.size(); ++i) values.emplace_back(names[i], Enum(i));
  app.add_option(option, value, what)->transform(CLI::CheckedTransformer(values));
}

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  benchmark::Initialize(&argc, argv);  // takes its own options away
  Setting setting;
  std::string strategy = "dot-dot";
  bool want_draw = false, want_strategies = false;
  unsigned cycles = 8;
  int rounds = 0;
  CLI::App app("What switching root costs with one setting.");
  app.add_flag("--draw", want_draw, "print the world after the steps of this setting");
  app.add_flag("--strategies", want_strategies, "print their names");
  app.add_option("--library", rounds, "so many rounds of it, beside its bare system calls")
      ->check(CLI::PositiveNumber);
  app.add_option("--cycles", cycles, "of the setting")->check(CLI::Range(2, 10000));
  app.add_option("--slow", setting.slow, "PHASE:PERCENT more work, planted")->delimiter(':');
  app.add_option("--strategy", strategy, "one of --strategies")
      ->check(CLI::IsMember(all_strategies()));
  choice(app, "--family", setting.by_hand, {"switch", "bare"}, "by the library, or by raw calls");
  choice(app, "--mode", setting.mode, {"thread", "exits"}, "what performs the steps");
  app.add_option("--mounts", setting.mounts, "in the old tree");
  choice(app, "--tree", setting.tree, {"private", "slave", "shared"}, "its propagation");
  app.add_option("--peers", setting.peers, "of each mount, where it is shared");
  choice(app, "--user", setting.user, {"none", "unmapped", "mapped"}, "user namespace");
  try {
    app.parse(argc, argv);
    if (want_strategies) {
      for (const std::string& each : all_strategies()) std::puts(each.c_str());
      return 0;
    }
    if (rounds > 0) return compare_library(rounds);
    setting.own_mounts = strategy.ends_with("+mnt");
    setting.strategy = *find_strategy(strategy.substr(0, strategy.find('+')));
    ::alarm(deadline_seconds);
    if (want_draw) return draw_world_at_the_end(setting);
    benchmark::RegisterBenchmark(strategy.c_str(), measure, setting)
        ->UseManualTime()
        ->Iterations(cycles / 2);
    return benchmark::RunSpecifiedBenchmarks() == 1 ? 0 : 3;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
}

// SPDX-License-Identifier: Apache-2.0
// doctor.cc: `pivotcheck doctor`: what can run on this machine and what can't: which call is
// refused, with which errno, and what to change. Every line is the result of a try, except those of
// the sysctls, which only explain. A child tries the calls in the order in which a world is made:
//
//     unshare(CLONE_NEWUSER)   /proc/self/uid_map   unshare(CLONE_NEWPID)   unshare(CLONE_NEWNS)
//     mount(MS_PRIVATE)        mount(tmpfs)         pivot_root
//
// It stops at the first one that is refused.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "check/trial/kernel_log.h"
#include "check/trial/probed_traits.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"
#include "json.h"
#include "machine.h"
#include "observe/observe.h"
#include "syscalls/mount_api.h"
#include "output.h"
#include "supervisor.h"
#include "syscalls/id_maps.h"

namespace pivotcheck::cli {
namespace {

// One line of the answer. What does not apply is empty.
struct Check {
  std::string name;
  bool ok = true;
  std::string what = {};    // what was found
  std::string call = {};    // the call that was refused
  std::string error = {};   // its errno's name
  std::string change = {};  // what to change
};

// --- sysctls and filters, which explain refusals

struct Sysctl {
  std::string_view name;
  std::string_view forbidding;  // the value that forbids what is needed
  std::string_view better;

  // "" if this kernel does not have it.
  [[nodiscard]] std::string value() const {
    std::string path = fmt::format("/proc/sys/{}", name);
    std::ranges::replace(path, '.', '/');
    const std::string text = read_file(path);
    return text.substr(0, text.find('\n'));
  }
  // "" if it forbids nothing.
  [[nodiscard]] std::string change() const {
    return value() == forbidding ? fmt::format("sysctl -w {}={}", name, better) : "";
  }
};

constexpr Sysctl sysctls[] = {
    {"user.max_user_namespaces", "0", "15000"},
    {"user.max_mnt_namespaces", "0", "15000"},
    {"user.max_pid_namespaces", "0", "15000"},
    {"kernel.unprivileged_userns_clone", "0", "1"},
    {"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
};

bool has_seccomp_filter() {
  return read_file("/proc/self/status").find("\nSeccomp:\t2\n") != std::string::npos;
}

std::string what_to_change(int error) {
  for (const Sysctl& sysctl : sysctls) {
    // Limits answer ENOSPC, prohibitions EPERM or EACCES.
    const bool limit = sysctl.name.starts_with("user.");
    const std::string change = sysctl.change();
    if (!change.empty() && limit == (error == ENOSPC)) return change;
  }
  switch (error) {
    case ENOSPC:
    case EUSERS:
      return "raise /proc/sys/user/max_*_namespaces, also in the namespaces around this one";
    case EINVAL: return "a kernel with CONFIG_USER_NS and CONFIG_PID_NS";
    case ENOSYS: return "a kernel that has this call, or a seccomp filter that lets it through";
    default: break;
  }
  if (has_seccomp_filter()) {
    return "the seccomp filter (for a container: --security-opt seccomp=unconfined, or "
           "--privileged)";
  }
  return "a security module, a chroot or a missing capability forbids it";
}

std::vector<Check> explanations() {
  std::vector<Check> checks;
  for (const Sysctl& sysctl : sysctls) {
    const std::string value = sysctl.value();
    const std::string change = sysctl.change();
    checks.push_back({.name = std::string(sysctl.name),
                      .ok = change.empty(),
                      .what = value.empty() ? "not on this kernel" : value,
                      .change = change});
  }
  checks.push_back(
      {.name = "seccomp filter", .what = has_seccomp_filter() ? "there is one" : "none"});
  return checks;
}

// --- the calls, tried in a child

struct Refusal {
  const char* call = nullptr;  // a literal, so it means the same in parent and child; nullptr: none
  int error = 0;
};

Refusal try_calls(Privilege privilege) {
  const auto refused = [](const char* call) { return Refusal{call, errno}; };
  const uid_t uid = ::geteuid();
  if (privilege == Privilege::userns) {
    if (::unshare(CLONE_NEWUSER) != 0) return refused("unshare(CLONE_NEWUSER)");
    const int error = kernel::write_proc_file({}, "uid_map", fmt::format("0 {} 1", uid));
    if (error != 0) return {"write to /proc/self/uid_map", error};
  }
  if (::unshare(CLONE_NEWPID) != 0) return refused("unshare(CLONE_NEWPID)");
  if (::unshare(CLONE_NEWNS) != 0) return refused("unshare(CLONE_NEWNS)");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return refused("mount(MS_REC|MS_PRIVATE)");
  }
  if (::mount("none", "/", "tmpfs", 0, nullptr) != 0) return refused("mount of a tmpfs");
  // From the covered root to the tmpfs that covers it.
  if (::chdir("/..") != 0) return refused("chdir");
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return refused("pivot_root");
  return {};
}

Refusal try_in_child(Privilege privilege) {
  const SharedMemory<Refusal> refusal;
  *refusal = {"the child that tried died", 0};
  auto child = ChildProcess::start([&] { *refusal = try_calls(privilege); });
  if (!child) return {"fork", errno};
  child->wait();
  return *refusal;
}

// "" if a scenario can be performed; otherwise why not.
std::string try_driver(Privilege privilege) {
  auto driver = KernelDriver::start(privilege);
  if (!driver) return driver.error().what;
  const Program one_step{
      .privilege = privilege, .steps = {{.op = Mkdir{"/a"}}}, .tasks = {"A"}, .handles = {}};
  const auto performed = driver->perform(one_step, {}, std::chrono::seconds(10));
  if (!performed) return performed.error().what;
  return performed->outcomes == std::vector{Outcome{}} ? "" : "a first mkdir is refused";
}

// Whether a KernelDriver of this privilege works, and if not, which call is refused.
Check privilege_check(Privilege privilege) {
  const bool root = privilege == Privilege::root;
  const std::string name = root ? "privilege: root" : "privilege: userns";
  if (root && ::geteuid() != 0) {
    return {.name = name, .ok = false, .what = "the caller is not root", .change = "run as root"};
  }
  const std::string wrong = try_driver(privilege);
  if (wrong.empty()) return {.name = name, .what = "scenarios can run"};
  Check check{.name = name, .ok = false, .what = wrong};
  const Refusal refusal = try_in_child(privilege);
  if (refusal.call != nullptr) {
    check.call = refusal.call;
    check.error = refusal.error == 0 ? "" : errno_name(refusal.error);
    check.change = what_to_change(refusal.error);
  } else if (root) {
    check.change = "run as root of the machine's own user namespace, with every capability";
  }
  return check;
}

// --- observers, kernel, log

Check kernel_check() {
  utsname kernel{};
  ::uname(&kernel);
  constexpr Release oldest_tried{{6, 1, 0}};
  if (leading_release(kernel.release) >= oldest_tried) {
    return {.name = "kernel", .what = kernel.release};
  }
  return {.name = "kernel",
          .ok = false,
          .what = fmt::format("{}: older than every kernel the model was tried on", kernel.release),
          .change = "Linux " + to_string(oldest_tried) + " or newer"};
}

Check listmount_check() {
  const std::string name = "observer: listmount";
  const auto observer = Observer::make();
  if (observer && observer->has(Source::listmount)) {
    return {.name = name, .what = "sees every mount"};
  }
  // An empty request: EINVAL where the call exists and is allowed.
  ::syscall(SYS_listmount, nullptr, nullptr, 0UL, 0U);
  return {.name = name,
          .ok = false,
          .what = "missing; only mountinfo is used, and worlds of which it may not show every "
                  "mount are counted",
          .call = "listmount",
          .error = errno == ENOSYS || errno == EPERM ? errno_name(errno) : "",
          .change = "Linux 6.12 or newer, and no seccomp filter against it"};
}

Check mountinfo_check() {
  const std::string name = "observer: mountinfo";
  const UniqueFd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (file) return {.name = name, .what = "readable"};
  return {.name = name,
          .ok = false,
          .what = "can't be read",
          .call = "open /proc/self/mountinfo",
          .error = errno_name(errno),
          .change = "mount a proc filesystem at /proc"};
}

Check log_check() {
  const KernelLog log = KernelLog::open();
  if (log.readable()) return {.name = "kernel log", .what = "watched for kernel warnings"};
  return {.name = "kernel log",
          .ok = false,
          .what = "not watched: " + log.unreadable_because(),
          .change = "run with CAP_SYSLOG, or sysctl -w kernel.dmesg_restrict=0"};
}

// --- what explain does: it reads what /proc shows, acts as a process, tries the call in a copy

Check explain_check() {
  Check check{.name = "explain"};
  const KernelTraits traits = probed_traits().traits;
  const auto process = explain::view_process(0, {"/"}, {"/"}, traits);
  const auto tried = process ? dry_run_pivot_root(0, "/", "/") : Expected<Outcome>(Outcome{});
  if (process && tried) {
    check.what = "sees this process, and can try the call (--try)";
    return check;
  }
  check.ok = false;
  check.what = process ? "sees this process, but can't try the call (--try): " + tried.error().what
                       : process.error().what;
  check.change = process ? "CAP_SYS_ADMIN, or a user namespace" : "see /proc and descriptors above";
  return check;
}

// --- the traits, as the kernel answered

Check trait_check(const TraitAnswer& answer) {
  using enum TraitAnswer::Kind;
  Check check{.name = fmt::format("trait {}", answer.trait->name),
              .ok = answer.kind == as_release || answer.kind == moot,
              .what = fmt::format("{}: {}", answer.is_on ? "on" : "off", answer.trait->sentence)};
  if (answer.kind == moot) check.what += " (not asked: nothing here could show it)";
  if (answer.kind == otherwise) {
    check.what += "; this release should not have it so: a backport, or a regression";
  }
  if (answer.kind == neither) {
    check.what += "; so it is assumed by the release: the kernel does neither this nor the other";
  }
  return check;
}

Check traits_check() {
  const std::string& unasked = probed_traits().unasked;
  if (unasked.empty()) return {.name = "traits", .what = "asked of the kernel, one by one"};
  return {.name = "traits", .ok = false, .what = "taken from the release: " + unasked};
}

Check resource_check(Resource resource) {
  return {.name = std::move(resource.name),
          .ok = resource.change.empty(),
          .what = std::move(resource.what),
          .change = std::move(resource.change)};
}

// --- the answer

// Prints it; true if it is ok.
bool show(const Check& check, bool json) {
  if (json) {
    Json object = {{"check", check.name}, {"ok", check.ok}, {"what", check.what}};
    set(object, "call", check.call);
    set(object, "errno", check.error);
    set(object, "change", check.change);
    print(line(object));
    return check.ok;
  }
  std::string text = 
      fmt::format("{} {}: {}", check.ok ? colored("ok ", Color::green) : colored("NO ", Color::red),
                  check.name, check.what);
  if (!check.call.empty()) text += "; refused: " + check.call;
  if (!check.error.empty()) text += ": " + check.error;
  if (!check.change.empty()) text += "; to change: " + check.change;
  print(text + "\n");
  return check.ok;
}

ExitStatus doctor(bool json) {
  show(kernel_check(), json);
  show(resource_check(stack_resource()), json);
  const bool descriptors = show(resource_check(descriptor_resource()), json);
  const bool proc = show(resource_check(proc_resource()), json);
  const bool userns = show(privilege_check(Privilege::userns), json);
  const bool root = show(privilege_check(Privilege::root), json);
  const bool mountinfo = show(mountinfo_check(), json);
  show(listmount_check(), json);
  show(explain_check(), json);
  show(log_check(), json);
  for (const Check& check : explanations()) show(check, json);
  show(traits_check(), json);
  for (const TraitAnswer& answer : probed_traits().answers) show(trait_check(answer), json);
  if ((userns || root) && mountinfo && descriptors && proc) return ExitStatus::agreed;
  return complain("nothing can run here", ExitStatus::nothing_ran);
}

}  // namespace

CommandSpec doctor_command() {
  auto json = std::make_shared<bool>(false);
  return {.name = "doctor",
          .summary = "Say what can run on this machine, and what to change where something can't",
          .options = {{"--json", json.get(), "print one JSON object a line for each check"}},
          .footer = "Exit status: 0 something can run, 4 nothing can.",
          .run = [json] { return doctor(*json); }};
}

}  // namespace pivotcheck::cli

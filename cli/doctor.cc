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
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>

#include "check/trial/kernel_log.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "json.h"
#include "observe/observe.h"
#include "observe/statmount_api.h"
#include "output.h"
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

Check failed(std::string name, std::string what) {
  return {.name = std::move(name), .ok = false, .what = std::move(what)};
}

std::optional<std::string> first_line(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  if (!std::getline(stream, line)) return std::nullopt;
  return line;
}

// --- sysctls and filters, which explain refusals

struct Sysctl {
  std::string_view name;
  std::string_view file;
  char bad;  // the value that forbids what is needed
  std::string_view change;
};

constexpr std::array sysctls{
    Sysctl{"user.max_user_namespaces", "/proc/sys/user/max_user_namespaces", '0',
           "sysctl -w user.max_user_namespaces=15000"},
    Sysctl{"user.max_mnt_namespaces", "/proc/sys/user/max_mnt_namespaces", '0',
           "sysctl -w user.max_mnt_namespaces=15000"},
    Sysctl{"user.max_pid_namespaces", "/proc/sys/user/max_pid_namespaces", '0',
           "sysctl -w user.max_pid_namespaces=15000"},
    Sysctl{"kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", '0',
           "sysctl -w kernel.unprivileged_userns_clone=1"},
    Sysctl{"kernel.apparmor_restrict_unprivileged_userns",
           "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
           "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
};

bool forbids(const Sysctl& sysctl) {
  const auto value = first_line(std::string(sysctl.file));
  return value && value->size() == 1 && value->front() == sysctl.bad;
}

bool has_seccomp_filter() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return line.ends_with('2');
  }
  return false;
}

std::string what_to_change(int error) {
  std::string advice;
  for (const Sysctl& sysctl : sysctls) {
    if (!forbids(sysctl)) continue;
    // Limits answer ENOSPC, prohibitions EPERM or EACCES.
    const bool limit = sysctl.name.starts_with("user.");
    if (limit == (error == ENOSPC)) return std::string(sysctl.change);
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
    const bool ok = !forbids(sysctl);
    checks.push_back({.name = std::string(sysctl.name),
                      .ok = ok,
                      .what = first_line(std::string(sysctl.file)).value_or("not on this kernel"),
                      .change = ok ? "" : std::string(sysctl.change)});
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
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {"pipe2", errno};
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return {"fork", errno};
  if (child == 0) {
    const Refusal refusal = try_calls(privilege);
    ::_exit(::write(write_end.get(), &refusal, sizeof refusal) == sizeof refusal ? 0 : 1);
  }
  write_end.reset();
  Refusal refusal{"the child that tried died", 0};
  Refusal heard;
  if (::read(read_end.get(), &heard, sizeof heard) == sizeof heard) refusal = heard;
  ::waitpid(child, nullptr, 0);
  return refusal;
}

// Whether a KernelDriver of this privilege works, and if not, which call is refused.
Check privilege_check(Privilege privilege) {
  Check check{.name = privilege == Privilege::root ? "privilege: root" : "privilege: userns",
              .what = "scenarios can run"};
  if (privilege == Privilege::root && ::geteuid() != 0) {
    check = failed(check.name, "the caller is not root");
    check.change = "run as root";
    return check;
  }
  auto driver = KernelDriver::start(privilege);
  if (driver) {
    const Program one_step{.privilege = privilege,
                           .steps = {{.op = Mkdir{"/a"}}},
                           .tasks = {"A"},
                           .handles = {}};
    const auto performed = driver->perform(one_step, {}, std::chrono::seconds(10));
    if (performed && performed->outcomes == std::vector{Outcome{}}) return check;
    check.what = performed ? "a first mkdir is refused" : performed.error().what;
  } else {
    check.what = driver.error().what;
  }
  check.ok = false;
  const Refusal refusal = try_in_child(privilege);
  if (refusal.call != nullptr) {
    check.call = refusal.call;
    check.error = refusal.error == 0 ? "" : errno_name(refusal.error);
    check.change = what_to_change(refusal.error);
  } else if (privilege == Privilege::root) {
    check.change = "run as root of the machine's own user namespace, with every capability";
  }
  return check;
}

// --- observers, kernel, log

Check kernel_check() {
  utsname name{};
  ::uname(&name);
  constexpr Release oldest_tried{{6, 1, 0}};
  if (leading_release(name.release) >= oldest_tried)
    return {.name = "kernel", .what = name.release};
  Check check = failed(
      "kernel", std::string(name.release) + ": older than every kernel the model was tried on");
  check.change = "Linux " + to_string(oldest_tried) + " or newer";
  return check;
}

Check listmount_check() {
  const std::string name = "observer: listmount";
  const auto observer = Observer::make();
  if (observer && observer->has(Source::listmount))
    return {.name = name, .what = "sees every mount"};
  Check check = failed(name,
                       "missing; only mountinfo is used, and worlds of which it may not show "
                       "every mount are counted");
  // An empty request: EINVAL where the call exists and is allowed.
  ::syscall(SYS_listmount, nullptr, nullptr, 0UL, 0U);
  check.call = "listmount";
  check.error = errno == ENOSYS || errno == EPERM ? errno_name(errno) : "";
  check.change = "Linux 6.12 or newer, and no seccomp filter against it";
  return check;
}

Check mountinfo_check() {
  const std::string name = "observer: mountinfo";
  const UniqueFd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (file) return {.name = name, .what = "readable"};
  Check check = failed(name, "can't be read");
  check.call = "open /proc/self/mountinfo";
  check.error = errno_name(errno);
  check.change = "mount a proc filesystem at /proc";
  return check;
}

Check log_check() {
  const std::string name = "kernel log";
  const KernelLog log = KernelLog::open();
  if (log.readable()) return {.name = name, .what = "watched for kernel warnings"};
  Check check = failed(name, "not watched: " + log.unreadable_because());
  check.change = "run with CAP_SYSLOG, or sysctl -w kernel.dmesg_restrict=0";
  return check;
}

// --- the answer

void print_check(const Check& check, bool json) {
  if (json) {
    Json object = Json::object({{"check", check.name}, {"ok", check.ok}, {"what", check.what}});
    if (!check.call.empty()) object.set("call", check.call);
    if (!check.error.empty()) object.set("errno", check.error);
    if (!check.change.empty()) object.set("change", check.change);
    print(line(object));
    return;
  }
  std::string text = fmt::format("{:3} {}: {}", check.ok ? "ok" : "NO", check.name, check.what);
  if (!check.call.empty()) text += "; refused: " + check.call;
  if (!check.error.empty()) text += ": " + check.error;
  if (!check.change.empty()) text += "; to change: " + check.change;
  print(text + "\n");
}

ExitStatus doctor(bool json) {
  print_check(kernel_check(), json);
  bool something_runs = false;
  for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
    const Check check = privilege_check(privilege);
    something_runs = something_runs || check.ok;
    print_check(check, json);
  }
  const Check mountinfo = mountinfo_check();
  something_runs = something_runs && mountinfo.ok;
  print_check(mountinfo, json);
  print_check(listmount_check(), json);
  print_check(log_check(), json);
  for (const Check& check : explanations()) print_check(check, json);
  if (something_runs) return ExitStatus::agreed;
  complain("nothing can run here");
  return ExitStatus::nothing_ran;
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

// SPDX-License-Identifier: Apache-2.0
// can_fail.cc: leaves something behind on purpose, one thing at a time, and runs the same checks. A
// check that does not notice it would always pass.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "processes.h"
#include "slabs.h"
#include "tests.h"
#include "traces.h"

namespace pivotcheck::safety {
namespace {

constexpr int short_limit_ms = 100;
constexpr int mounts_leaked = 5000;

// A child that does `work` and then waits until it is killed; `ready` when it waits.
class Child {
 public:
  explicit Child(const std::function<bool()>& work) {
    std::fflush(nullptr);
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const char answer = work() ? 'y' : 'n';
      (void)!::write(ends[1], &answer, 1);
      for (;;) ::pause();
    }
    ::close(ends[1]);
    char answer = 'n';
    ready_ = ::read(ends[0], &answer, 1) == 1 && answer == 'y';
    ::close(ends[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool ready() const { return ready_; }

 private:
  pid_t pid_ = -1;
  bool ready_ = false;
};

bool new_namespaces() {
  const int flags = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
  return ::unshare(flags) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool notices(const Traces& traces, std::string_view kind, int limit_ms = short_limit_ms) {
  const std::vector<std::string> found = traces.left_behind(limit_ms);
  return std::ranges::any_of(
      found, [&](const std::string& line) { return line.starts_with(kind); });
}

bool process_is_noticed() {
  const Folder folder;
  const Traces traces(folder.path());
  if (!traces.left_behind(short_limit_ms).empty()) return false;
  Child child([] { return ::setsid() > 0; });
  const bool noticed = notices(traces, "process: ");
  child.end();
  return noticed && traces.left_behind(gone_limit_ms).empty();
}

// A grandchild whose parent is gone.
bool orphan_is_noticed() {
  const Folder folder;
  const Traces traces(folder.path());
  pid_t orphan = 0;
  {
    Child child([] {
      const pid_t parent = ::getpid();
      if (::fork() == 0) {
        ::setsid();
        for (;;) ::pause();
      }
      return parent > 0;
    });
    for (const Process& process : processes_below(child.pid())) {
      if (process.parent == child.pid()) orphan = process.pid;
    }
  }
  const bool noticed = orphan > 0 && notices(traces, "process: ");
  if (orphan > 0) ::kill(orphan, SIGKILL);
  return noticed && traces.left_behind(gone_limit_ms).empty();
}

// Held by a descriptor alone.
bool namespace_is_noticed() {
  const Folder folder;
  Traces traces(folder.path());
  Child child(new_namespaces);
  if (!child.ready()) return false;
  traces.note_namespaces(child.pid());
  UniqueFd held(
      ::open(fmt::format("/proc/{}/ns/mnt", child.pid()).c_str(), O_RDONLY | O_CLOEXEC));
  child.end();
  const bool noticed = held && notices(traces, "namespace: mnt:");
  held.reset();
  return noticed && traces.left_behind(gone_limit_ms).empty();
}

bool mount_is_noticed() {
  const Folder folder;
  const Child child([&folder] {
    if (!new_namespaces()) return false;
    const Traces traces(folder.path());
    return ::mount("none", folder.path().c_str(), "tmpfs", 0, nullptr) == 0 &&
           notices(traces, "mount: ");
  });
  return child.ready();
}

bool file_is_noticed(const std::string& name, std::string_view text) {
  const Folder folder;
  const Traces traces(folder.path());
  ::mkdir((folder.path() + "/artifacts").c_str(), 0700);
  ::mkdir((folder.path() + "/tmp").c_str(), 0700);
  if (!traces.left_behind(short_limit_ms).empty()) return false;
  const std::string path = name.starts_with('/') ? name : folder.path() + "/" + name;
  std::ofstream(path) << text;
  const bool noticed = notices(traces, "file: ");
  ::unlink(path.c_str());
  return noticed;
}

// A namespace full of mounts: so much must be far beyond what `soak` takes for noise.
bool mounts_are_counted() {
  const auto before = count_slabs();
  if (!before.contains("mnt_cache")) {
    fmt::print("NOT SEEN: the kernel's counts: /proc/slabinfo can't be read\n");
    return true;
  }
  const Folder folder;
  Child child([&folder] {
    if (!new_namespaces()) return false;
    for (int i = 0; i < mounts_leaked; ++i) {
      if (::mount(folder.path().c_str(), folder.path().c_str(), nullptr, MS_BIND, nullptr) != 0) {
        return false;
      }
    }
    return true;
  });
  return child.ready() &&
         count_slabs().at("mnt_cache") - before.at("mnt_cache") > mounts_leaked / 2;
}

}  // namespace

bool can_fail(const Options&) {
  const std::string shm = fmt::format("/dev/shm/pivotcheck-can-fail-{}", ::getpid());
  const std::pair<std::string_view, bool> checks[] = {
      {"a process that stays behind", process_is_noticed()},
      {"a process that stays behind without its parent", orphan_is_noticed()},
      {"a namespace that only a descriptor holds", namespace_is_noticed()},
      {"a mount", mount_is_noticed()},
      {"a temporary file", file_is_noticed("tmp/x", "")},
      {"a file in the current directory", file_is_noticed("core", "core")},
      {"a file in shared memory", file_is_noticed(shm, "")},
      {"an empty file among the scenarios", file_is_noticed("artifacts/a.scn", "")},
      {"half a scenario", file_is_noticed("artifacts/a.scn", "mkdir /a\nmkd")},
      {"another file among the scenarios", file_is_noticed("artifacts/a.scn.tmp", "mkdir /a\n")},
      {"thousands of mounts in a namespace", mounts_are_counted()},
  };
  bool good = true;
  for (const auto& [what, noticed] : checks) {
    fmt::print("{:<52} {}\n", what, noticed ? "is noticed" : "IS NOT NOTICED");
    good = good && noticed;
  }
  return good;
}

}  // namespace pivotcheck::safety

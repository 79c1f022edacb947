// SPDX-License-Identifier: Apache-2.0
// switch_overhead.cc: what the library costs on top of the system calls it makes. The same sequence
// (dot-dot), twice: by hand, as short as it can be written, and by RootSwitch; both start a static
// true in the new root and wait for it. CPU time of this process and its children, in batches that
// take turns, so that what else the machine does meets both; the median of the ratios counts.
//
//     switch_overhead [ROUNDS]          as root or as an ordinary user; needs busybox (ci/install)
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "kernel/syscalls.h"
#include "rootswitch/root_switch.h"

namespace {

namespace fs = std::filesystem;
using pivotcheck::kernel::sys_exit;
using pivotcheck::kernel::sys_fork;

constexpr int batch = 50;  // enough for the CPU clock, which counts microseconds

double cpu_us() {
  double total = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& part : {usage.ru_utime, usage.ru_stime}) {
      total += static_cast<double>(part.tv_sec) * 1e6 + static_cast<double>(part.tv_usec);
    }
  }
  return total;
}

[[noreturn]] void bare_child(const char* root, const char* parent) {
  bool ok = ::unshare(CLONE_NEWNS) == 0;
  ok = ok && ::mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0;
  ok = ok && ::mount("none", parent, nullptr, MS_PRIVATE, nullptr) == 0;
  ok = ok && ::mount(root, root, nullptr, MS_BIND | MS_REC, nullptr) == 0;
  const int old_root = ::open("/", O_PATH | O_CLOEXEC);
  const int new_root = ::open(root, O_PATH | O_CLOEXEC);
  ok = ok && ::fchdir(new_root) == 0 && pivotcheck::kernel::sys_pivot_root(".", ".") == 0;
  ok = ok && ::fchdir(old_root) == 0;
  ok = ok && ::mount("none", ".", nullptr, MS_SLAVE | MS_REC, nullptr) == 0;
  ok = ok && ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
  ::close(new_root);
  ::close(old_root);
  char name[] = "/bin/true";
  char* const words[] = {name, nullptr};
  if (ok) ::execve(name, words, environ);
  sys_exit(125);
}

void bare(const std::string& root, const std::string& parent) {
  const pid_t child = sys_fork(SIGCHLD);
  if (child == 0) bare_child(root.c_str(), parent.c_str());
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) std::exit((std::fputs("the bare sequence failed\n", stderr), 3));
}

void by_library(const pivotcheck::RootSwitch& root) {
  static const pivotcheck::Command command{
      .arguments = {"/bin/true"}, .environment = {}, .signal_mask = {}};
  auto child = root.start(command);
  auto ended = child ? child->wait() : std::unexpected(child.error());
  if (!ended || ended->code != 0) std::exit((std::fputs("the library failed\n", stderr), 3));
}

template <class Run>
double batch_us(Run run) {
  const double before = cpu_us();
  for (int i = 0; i < batch; ++i) run();
  return (cpu_us() - before) / batch;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// An ordinary user gets both in a user namespace of his own.
bool become_privileged() {
  if (::geteuid() == 0) return true;
  const auto write = [](const char* path, const std::string& text) {
    std::FILE* file = std::fopen(path, "we");
    return file != nullptr && std::fputs(text.c_str(), file) >= 0 && std::fclose(file) == 0;
  };
  const std::string uid = "0 " + std::to_string(::geteuid()) + " 1";
  const std::string gid = "0 " + std::to_string(::getegid()) + " 1";
  return ::unshare(CLONE_NEWUSER) == 0 && write("/proc/self/setgroups", "deny") &&
         write("/proc/self/uid_map", uid) && write("/proc/self/gid_map", gid);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 31;
  std::string folder = (fs::temp_directory_path() / "pivotcheck-XXXXXX").string();
  if (!become_privileged() || ::mkdtemp(folder.data()) == nullptr) {
    std::perror("switch_overhead");
    return 4;
  }
  fs::create_directories(folder + "/bin");
  fs::copy_file("/bin/busybox", folder + "/bin/true");
  pivotcheck::SwitchOptions options;
  options.new_root = folder;
  auto root = pivotcheck::RootSwitch::make(options);
  if (!root) std::exit((std::fputs(root.error().message.c_str(), stderr), 4));
  std::vector<double> bares;
  std::vector<double> libraries;
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    double by_hand = 0;
    double library = 0;
    const bool hand_first = round % 2 == 0;
    if (hand_first) by_hand = batch_us([&] { bare(folder, "/"); });
    library = batch_us([&] { by_library(*root); });
    if (!hand_first) by_hand = batch_us([&] { bare(folder, "/"); });
    bares.push_back(by_hand);
    libraries.push_back(library);
    ratios.push_back(library / by_hand);
  }
  fs::remove_all(folder);
  std::printf("CPU time of a switch (dot-dot) and a static true, median of %d rounds of %d\n",
              rounds, batch);
  std::printf("  system calls by hand  %7.1f us\n  library               %7.1f us\n", median(bares),
              median(libraries));
  std::printf("  library to by hand    %7.3f   (median of the rounds' ratios)\n", median(ratios));
  return 0;
}

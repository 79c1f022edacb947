// SPDX-License-Identifier: Apache-2.0
// batch.cc: see batch.h.
#include "batch.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <span>

#include "base/unique_fd.h"

namespace pivotcheck::bench {
namespace {

// The longest batch on an idle machine takes a second: 3000 mounts.
constexpr unsigned deadline_seconds = 60;
constexpr std::size_t text_max = 1 << 16;

struct Memory {
  explicit Memory(std::size_t size) : size_(size) {
    start_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    if (*this) ::munmap(start_, size_);
  }
  explicit operator bool() const { return start_ != MAP_FAILED; }
  template <class T>
  T* at(std::size_t offset) {
    return reinterpret_cast<T*>(static_cast<char*>(start_) + offset);
  }

 private:
  std::size_t size_;
  void* start_;
};

void put(char* text, const std::string& from) {
  const std::size_t size = std::min(from.size(), text_max - 1);
  std::memcpy(text, from.data(), size);
  text[size] = '\0';
}

// An ordinary user is root in a user namespace of his own.
std::string gain_privileges() {
  if (::geteuid() == 0) return "";
  const auto write = [](const char* file, const std::string& text) {
    std::ofstream out(file);
    out << text << std::flush;
    return out.good();
  };
  const std::string uid = "0 " + std::to_string(::geteuid()) + " 1";
  const std::string gid = "0 " + std::to_string(::getegid()) + " 1";
  if (::unshare(CLONE_NEWUSER) != 0) return "no privileges, and no user namespace";
  const bool written = write("/proc/self/uid_map", uid) && write("/proc/self/setgroups", "deny") &&
                       write("/proc/self/gid_map", gid);
  return written ? "" : "no privileges, and no id maps";
}

// `job` writes its answer into the memory; what it returns is what went wrong.
std::string in_child(Memory& memory, const std::function<std::string()>& job) {
  if (!memory) return "mmap";
  const pid_t maker = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return "fork";
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != maker) ::_exit(1);
    ::alarm(deadline_seconds);
    std::string trouble = gain_privileges();
    if (trouble.empty()) trouble = job();
    put(memory.at<char>(0), trouble);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "it took longer than a minute";
  if (status != 0) return "its process ended with wait status " + std::to_string(status);
  return memory.at<char>(0);
}

}  // namespace

Expected<std::vector<Sample>> run_batch(const Work& work, unsigned cycles) {
  const std::size_t count = work.setting.parallel > 0 ? 1 : cycles;
  Memory memory(text_max + count * sizeof(Sample));
  const std::string trouble = in_child(memory, [&]() -> std::string {
    const std::span samples(memory.at<Sample>(text_max), count);
    const auto done = work.setting.parallel > 0 ? run_parallel(work, cycles, samples.front())
                                                : run_cycles(work, samples);
    return done ? "" : done.error().what;
  });
  if (!trouble.empty()) return fail(trouble);
  const Sample* first = memory.at<Sample>(text_max);
  return std::vector<Sample>(first, first + count);
}

Expected<std::string> end_of_steps(const Work& work) {
  Memory memory(2 * text_max);
  const std::string trouble = in_child(memory, [&]() -> std::string {
    const auto state = mounts_at_the_end(work);
    if (!state) return state.error().what;
    put(memory.at<char>(text_max), *state);
    return "";
  });
  if (!trouble.empty()) return fail(trouble);
  return std::string(memory.at<char>(text_max));
}

// --- the crowd -----------------------------------------------------------------------------------

namespace {

constexpr unsigned threads_each = 2500;  // of a process: below what one may have of anything

void* sleep_for_ever(void*) {
  for (;;) ::pause();
}

unsigned start_threads(unsigned count) {
  pthread_attr_t attributes{};
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
  ::pthread_attr_setguardsize(&attributes, 0);
  unsigned started = 0;
  for (pthread_t thread{}; started < count; ++started) {
    if (::pthread_create(&thread, &attributes, &sleep_for_ever, nullptr) != 0) break;
  }
  return started;
}

}  // namespace

namespace {

// Ended threads are freed later, by RCU, and new ones are just being placed: until that is over,
// not only what looks at threads is slower.
void leave_the_machine_alone() {
  const timespec moment{.tv_sec = 0, .tv_nsec = 300'000'000};
  ::nanosleep(&moment, nullptr);
}

}  // namespace

void Crowd::dismiss() {
  for (const pid_t pid : processes_) ::kill(pid, SIGKILL);
  for (const pid_t pid : processes_) ::waitpid(pid, nullptr, 0);
  processes_.clear();
  threads_ = 0;
}

Expected<void> Crowd::resize(unsigned threads) {
  if (threads == threads_) return {};
  dismiss();
  const pid_t maker = ::getpid();
  for (unsigned left = threads; left > 0;) {
    const unsigned share = std::min(left, threads_each);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("crowd: pipe");
    const UniqueFd reads(ends[0]);
    UniqueFd writes(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return fail("crowd: fork");
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != maker) ::_exit(1);
      const unsigned started = start_threads(share - 1);  // and itself
      if (started == share - 1 && ::write(writes.get(), "", 1) == 1) sleep_for_ever(nullptr);
      ::_exit(1);
    }
    processes_.push_back(pid);
    writes.reset();
    char byte = 0;
    if (::read(reads.get(), &byte, 1) != 1) {
      dismiss();
      return fail("this machine does not let " + std::to_string(threads) + " threads be started");
    }
    left -= share;
  }
  threads_ = threads;
  leave_the_machine_alone();
  return {};
}

}  // namespace pivotcheck::bench

// SPDX-License-Identifier: Apache-2.0
// supervisor.h: the processes that a command starts, and what it shares with them. ChildProcess is
// one of them; Supervisor keeps several of one kind running.
//
//     run --jobs N      N children share the files (run.cc)
//     explore           a Supervisor of workers, and one of libFuzzer's processes
#pragma once

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace pivotcheck::cli {

// A file that is memory. It has no name, so nothing is left of it.
inline UniqueFd memory_file() { return UniqueFd(::memfd_create("pivotcheck", MFD_CLOEXEC)); }

// Memory that holds one T, for this process and for those that it forks, and, by its descriptor,
// for other programs that it starts.
template <class T>
class SharedMemory {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  SharedMemory() {
    if (!file_ || ::ftruncate(file_.get(), sizeof(T)) != 0) throw std::bad_alloc();
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    object_ = new (memory) T();
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(object_, sizeof(T)); }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  [[nodiscard]] int fd() const { return file_.get(); }  // closed on exec

 private:
  UniqueFd file_ = memory_file();
  T* object_ = nullptr;
};

// A forked child. It ignores the signals that ask a command to end (interruption.h): Ctrl-C and
// timeout(1) reach all processes, and the parent alone decides what they mean. It is killed when
// its parent dies, however that happens, and when this object is destroyed.
class ChildProcess {
 public:
  struct End {
    int wait_status = 0;  // as waitpid(2) has it
    double cpu_seconds = 0;
  };

  ChildProcess() = default;  // none
  ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~ChildProcess() { kill(); }

  // The child calls `body` and exits with status 0.
  static Expected<ChildProcess> start(const std::function<void()>& body);

  [[nodiscard]] pid_t pid() const { return pid_; }  // -1: none, or it has ended
  std::optional<End> poll();                        // nullopt while it runs
  End wait();
  // Waits until the deadline (base/clock.h) or a second signal (interruption.h), then kills it.
  End wait_until(std::int64_t deadline_ms);
  End kill();

 private:
  std::optional<End> reap(int options);

  pid_t pid_ = -1;
};

// Points a child's descriptor at a file; the child keeps it over an exec.
void redirect(int from, int to);

class Supervisor {
 public:
  // All are called in the parent, except `run`. `i` counts the processes from 0.
  struct Callbacks {
    std::function<void(std::size_t i)> run;  // what a child does
    // When process i last made progress (base/clock.h): it writes this, in shared memory.
    std::function<std::atomic<std::int64_t>*(std::size_t i)> alive_ms;
    // A process was lost: "was killed by SIGSEGV", "hung for 120 s". It is started again, unless
    // too many were lost.
    std::function<void(std::size_t i, const std::string& how)> lost;
    std::function<void(const std::string& what)> failed;  // a process can't be started
    // Exit status 0 before the stop: true if that means that there is no more work.
    bool may_finish = false;
  };

  // `stop` says that processes that end are not to be started again.
  Supervisor(std::size_t count, const std::atomic<bool>& stop, Callbacks callbacks)
      : processes_(count), stop_(stop), callbacks_(std::move(callbacks)) {}

  void start_all();
  bool poll();                             // false when no process is left
  void kill_rest(const std::string& how);  // those that are left are lost: `how`

  [[nodiscard]] int started() const { return started_; }             // those that were lost too
  [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }  // of those that ended

 private:
  bool start(std::size_t i);
  bool poll(std::size_t i);

  std::vector<ChildProcess> processes_;
  const std::atomic<bool>& stop_;
  Callbacks callbacks_;
  int losses_ = 0;
  int started_ = 0;
  double cpu_seconds_ = 0;
};

}  // namespace pivotcheck::cli

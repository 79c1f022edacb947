// SPDX-License-Identifier: Apache-2.0
// workers.cc: see workers.h.
#include "workers.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

constexpr int idle_interval_ms = 200;

// What goes before the two texts of one Finished in a pipe.
struct Frame {
  std::uint64_t item;
  std::uint64_t text_bytes;
  std::uint64_t reason_bytes;
  TrialResult::Kind kind;
  bool cannot_run;
  bool state_unseen;
};

struct Worker {
  pid_t pid = -1;
  UniqueFd pipe;
  std::string received;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool send(int fd, std::size_t item, const Finished& finished) {
  Frame frame{};
  frame.item = item;
  frame.text_bytes = finished.text.size();
  frame.reason_bytes = finished.reason.size();
  frame.kind = finished.kind;
  frame.cannot_run = finished.cannot_run;
  frame.state_unseen = finished.state_unseen;
  std::string bytes(reinterpret_cast<const char*>(&frame), sizeof frame);
  return write_all(fd, bytes + finished.text + finished.reason);
}

// Takes the first whole frame off what was received.
std::optional<std::pair<std::size_t, Finished>> take(std::string& received) {
  Frame frame{};
  if (received.size() < sizeof frame) return std::nullopt;
  std::memcpy(&frame, received.data(), sizeof frame);
  const std::size_t whole = sizeof frame + frame.text_bytes + frame.reason_bytes;
  if (received.size() < whole) return std::nullopt;
  Finished finished{.kind = frame.kind,
                    .cannot_run = frame.cannot_run,
                    .state_unseen = frame.state_unseen,
                    .text = received.substr(sizeof frame, frame.text_bytes),
                    .reason = received.substr(sizeof frame + frame.text_bytes, frame.reason_bytes)};
  received.erase(0, whole);
  return std::pair{frame.item, std::move(finished)};
}

using Counter = std::atomic<std::size_t>;

void work(const Workers& workers, Counter& next, int pipe) {
  const Perform perform = workers.begin();
  for (std::size_t item = next++; item < workers.count; item = next++) {
    if (!send(pipe, item, perform(item))) return;
  }
}

Expected<Worker> start(const Workers& workers, Counter& next) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe2: " + errno_name(errno));
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  flush();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail("fork: " + errno_name(errno));
  if (pid > 0) return Worker{pid, std::move(read_end), {}};
  read_end.reset();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) work(workers, next, write_end.get());
  ::_exit(0);
}

// Reads what there is; closes the pipe at its end.
void receive(Worker& worker, const Workers& workers) {
  std::array<char, 1 << 16> buffer;
  const ssize_t count = ::read(worker.pipe.get(), buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) return worker.pipe.reset();
  worker.received.append(buffer.data(), static_cast<std::size_t>(count));
  while (auto one = take(worker.received)) workers.done(one->first, std::move(one->second));
}

void receive_all(std::vector<Worker>& running, const Workers& workers) {
  for (;;) {
    std::vector<pollfd> waiting;
    std::vector<Worker*> who;
    for (Worker& worker : running) {
      if (!worker.pipe) continue;
      waiting.push_back({worker.pipe.get(), POLLIN, 0});
      who.push_back(&worker);
    }
    if (waiting.empty()) return;
    if (::poll(waiting.data(), waiting.size(), idle_interval_ms) > 0) {
      for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i].revents != 0) receive(*who[i], workers);
      }
    }
    workers.idle();
  }
}

}  // namespace

Expected<void> run_in_workers(const Workers& workers) {
  void* memory =
      ::mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail("mmap: " + errno_name(errno));
  Counter& next = *new (memory) Counter(0);
  std::vector<Worker> running;
  Expected<void> result;
  for (std::size_t i = 0; i < workers.jobs; ++i) {
    auto worker = start(workers, next);
    if (worker) {
      running.push_back(std::move(*worker));
    } else if (running.empty()) {  // with fewer workers than wanted it goes on
      result = std::unexpected(worker.error());
      break;
    }
  }
  receive_all(running, workers);
  for (const Worker& worker : running) ::waitpid(worker.pid, nullptr, 0);
  ::munmap(memory, sizeof(Counter));
  return result;
}

}  // namespace pivotcheck::cli

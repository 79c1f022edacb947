// SPDX-License-Identifier: Apache-2.0
// workers.cc: the pipes of the workers, and what goes through them.
#include "workers.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "op/outcome.h"
#include "shared_memory.h"
#include "supervisor.h"

namespace pivotcheck::cli {
namespace {

constexpr int idle_interval_ms = 200;

// In a pipe, this comes before the two texts of one Finished.
struct Frame {
  std::uint64_t item;
  std::uint64_t text_bytes;
  std::uint64_t reason_bytes;
  TrialResult::Kind kind;
  bool cannot_run;
  bool state_unseen;
};

struct Worker {
  ChildProcess process;
  UniqueFd pipe;  // its read end; closed once the worker has ended
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
  const Perform perform = workers.make_perform();
  for (std::size_t item = next++; item < workers.count; item = next++) {
    if (!send(pipe, item, perform(item))) return;
  }
}

Expected<Worker> start(const Workers& workers, Counter& next) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe2: " + errno_name(errno));
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  auto process = ChildProcess::start([&] {
    read_end.reset();
    work(workers, next, write_end.get());
  });
  if (!process) return std::unexpected(process.error());
  return Worker{std::move(*process), std::move(read_end), {}};
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
    std::vector<pollfd> waiting;  // of each worker; one whose pipe is closed has the number -1
    for (const Worker& worker : running) waiting.push_back({worker.pipe.get(), POLLIN, 0});
    if (std::ranges::none_of(running, [](const Worker& one) { return bool(one.pipe); })) return;
    if (::poll(waiting.data(), waiting.size(), idle_interval_ms) > 0) {
      for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i].revents != 0) receive(running[i], workers);
      }
    }
    workers.idle();
  }
}

}  // namespace

Expected<void> run_in_workers(const Workers& workers) {
  const SharedMemory<Counter> next;
  std::vector<Worker> running;
  for (std::size_t i = 0; i < workers.jobs; ++i) {
    auto worker = start(workers, *next);
    // With fewer workers than wanted it goes on, but not with none.
    if (!worker && running.empty()) return std::unexpected(worker.error());
    if (worker) running.push_back(std::move(*worker));
  }
  receive_all(running, workers);
  for (Worker& worker : running) worker.process.wait();
  return {};
}

}  // namespace pivotcheck::cli

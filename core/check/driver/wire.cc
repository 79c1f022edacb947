// SPDX-License-Identifier: Apache-2.0
// wire.cc: to bytes and back. What is plain memory goes as it lies there; each_part() lists the
// parts of everything else, for writing and for reading.
#include "check/driver/wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <ranges>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace pivotcheck::kernel {
namespace {

template <class Value>
concept PlainMemory = std::is_trivially_copyable_v<Value> && !std::ranges::range<Value>;
// A Value, or a const one.
template <class Maybe, class Value>
concept Like = std::same_as<std::remove_const_t<Maybe>, Value>;

void each_part(Like<Path> auto& path, auto&& visit) {
  visit(path.handle);
  visit(path.slot);
  visit(path.text);
}
void each_part(Like<TaskName> auto& name, auto&& visit) { visit(name.text); }
void each_part(Like<HandleName> auto& name, auto&& visit) { visit(name.slot); }
void each_part(Like<LinkTarget> auto& target, auto&& visit) { visit(target.text); }
void each_part(Like<Progress> auto& progress, auto&& visit) {
  visit(progress.paused);
  visit(progress.outcomes);
  visit(progress.descriptors);
  visit(progress.pids);
  visit(progress.allocation_failed);
}

class Writer {
 public:
  void operator()(const PlainMemory auto& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void operator()(const std::string& text) {
    (*this)(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
  }
  void operator()(const std::ranges::sized_range auto& items) {
    (*this)(static_cast<std::uint32_t>(items.size()));
    for (const auto& item : items) (*this)(item);
  }
  void operator()(const ProgramStep& step) {
    (*this)(step.task);
    (*this)(step.subject);
    const std::size_t index = verb_index(step.op);
    PIVOTCHECK_CHECK(index < prototypes().size());
    (*this)(static_cast<std::uint8_t>(index));
    std::visit([this](const auto& op) { op.fields(op, *this); }, step.op);
  }
  void operator()(const auto& value) { each_part(value, *this); }

  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class Reader {
 public:
  explicit Reader(const Bytes& bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  void operator()(PlainMemory auto& value) {
    if (const char* from = take(sizeof(value))) std::memcpy(&value, from, sizeof(value));
  }
  void operator()(std::string& text) {
    const std::uint32_t size = read<std::uint32_t>();
    if (const char* from = take(size)) text.assign(from, size);
  }
  template <class Item>
  void operator()(std::vector<Item>& items) {
    const std::uint32_t size = read<std::uint32_t>();
    items.resize(static_cast<std::size_t>(end_ - at_) < size ? 0 : size);  // an item has a byte
    for (Item& item : items) (*this)(item);
  }
  void operator()(ProgramStep& step) {
    (*this)(step.task);
    (*this)(step.subject);
    const auto index = read<std::uint8_t>();
    good_ = good_ && index < prototypes().size();
    if (!good_) return;
    step.op = prototypes()[index];
    std::visit([this](auto& op) { op.fields(op, *this); }, step.op);
  }
  void operator()(auto& value) { each_part(value, *this); }

  template <class Value>
  Value read() {
    Value value{};
    (*this)(value);
    return value;
  }
  // Everything was there, and nothing is left.
  [[nodiscard]] bool complete() const { return good_ && at_ == end_; }

 private:
  const char* take(std::size_t size) {
    good_ = good_ && static_cast<std::size_t>(end_ - at_) >= size;
    if (!good_) return nullptr;
    return std::exchange(at_, at_ + size);
  }

  const char* at_;
  const char* end_;
  bool good_ = true;
};

// --- frames

// Lists of steps and their outcomes stay far below; it bounds what a broken length could allocate.
constexpr std::uint32_t body_bytes_max = 256U << 20;

// Waits until the socket is ready for `events`, or has hung up.
IoStatus wait_for(int socket, short events, Deadline deadline) {
  using std::chrono::milliseconds;
  for (;;) {
    int wait_ms = -1;
    if (deadline) {
      const auto now = std::chrono::steady_clock::now();
      const auto left = std::chrono::ceil<milliseconds>(*deadline - now);
      wait_ms = static_cast<int>(std::clamp<milliseconds::rep>(left.count(), 0, 1'000'000'000));
    }
    pollfd poll_fd{.fd = socket, .events = events, .revents = 0};
    const int ready = ::poll(&poll_fd, 1, wait_ms);
    if (ready > 0) return IoStatus::ok;
    if (ready == 0) return IoStatus::timed_out;
    if (errno != EINTR) return IoStatus::closed;
  }
}

// Calls `transfer`, a send or a recv that adds to `done`, until that is `wanted`.
template <class Transfer>
IoStatus transfer_all(int socket, short events, Deadline deadline, std::size_t& done,
                      std::size_t wanted, Transfer transfer) {
  while (done < wanted) {
    const ssize_t size = transfer();
    if (size > 0) {
      done += static_cast<std::size_t>(size);
    } else if (size < 0 && errno == EAGAIN) {
      const IoStatus status = wait_for(socket, events, deadline);
      if (status != IoStatus::ok) return status;
    } else if (size == 0 || errno != EINTR) {
      return IoStatus::closed;
    }
  }
  return IoStatus::ok;
}

}  // namespace

Bytes encode(std::span<const ProgramStep> steps, std::span<const Outcome> predicted, bool pauses,
             FailingAllocation failing) {
  Writer write;
  write(steps);
  write(predicted);
  write(pauses);
  write(failing);
  return write.take();
}

Bytes encode(const Expected<Progress>& progress) {
  Writer write;
  write(progress.has_value());
  if (progress) {
    write(*progress);
  } else {
    write(progress.error().what);
  }
  return write.take();
}

Expected<Request> decode_request(const Bytes& body) {
  Reader reader(body);
  Request request;
  reader(request.steps);
  reader(request.predicted);
  reader(request.pauses);
  reader(request.failing);
  if (!reader.complete()) return fail("a request that can't be read");
  return request;
}

Expected<Progress> decode_progress(const Bytes& body) {
  Reader reader(body);
  Expected<Progress> progress;
  if (reader.read<bool>()) {
    progress = reader.read<Progress>();
  } else {
    progress = fail(reader.read<std::string>());
  }
  if (!reader.complete()) return fail("an answer that can't be read");
  return progress;
}

IoStatus send_frame(int socket, const Bytes& body, Deadline deadline) {
  const auto length = static_cast<std::uint32_t>(body.size());
  Bytes frame(reinterpret_cast<const char*>(&length), sizeof(length));
  frame += body;
  std::size_t done = 0;
  return transfer_all(socket, POLLOUT, deadline, done, frame.size(), [&] {
    return ::send(socket, frame.data() + done, frame.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

// Usually one call: it takes all there is, which is never more than one frame, because the two
// sides take turns. With a deadline a poll comes first: the other side has hardly begun then.
IoStatus receive_frame(int socket, Bytes& body, Deadline deadline) {
  IoStatus status = deadline ? wait_for(socket, POLLIN, deadline) : IoStatus::ok;
  if (status != IoStatus::ok) return status;
  std::array<char, 4096> first;
  std::size_t done = 0;
  std::uint32_t length = 0;
  status = transfer_all(socket, POLLIN, deadline, done, sizeof(length), [&] {
    const int flags = deadline ? MSG_DONTWAIT : 0;
    return ::recv(socket, first.data() + done, first.size() - done, flags);
  });
  if (status != IoStatus::ok) return status;
  std::memcpy(&length, first.data(), sizeof(length));
  done -= sizeof(length);
  if (length > body_bytes_max || done > length) return IoStatus::closed;
  body.assign(first.data() + sizeof(length), done);
  body.resize(length);
  return transfer_all(socket, POLLIN, deadline, done, length, [&] {
    return ::recv(socket, body.data() + done, length - done, MSG_DONTWAIT);
  });
}

}  // namespace pivotcheck::kernel

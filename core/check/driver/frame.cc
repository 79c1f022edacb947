// SPDX-License-Identifier: Apache-2.0
// frame.cc: sends and receives whole frames.
#include "check/driver/frame.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace pivotcheck::kernel {
namespace {

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

// `transfer(at, size)` is a send or a recv that does not block.
template <class Transfer>
IoStatus transfer_all(int socket, short events, Deadline deadline, char* at, std::size_t size,
                     Transfer transfer) {
  while (size > 0) {
    const ssize_t done = transfer(at, size);
    if (done > 0) {
      at += done;
      size -= static_cast<std::size_t>(done);
      continue;
    }
    if (done == 0) return IoStatus::closed;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return IoStatus::closed;
    const IoStatus status = wait_for(socket, events, deadline);
    if (status != IoStatus::ok) return status;
  }
  return IoStatus::ok;
}

IoStatus receive_all(int socket, char* at, std::size_t size, Deadline deadline) {
  return transfer_all(socket, POLLIN, deadline, at, size, [&](char* to, std::size_t length) {
    return ::recv(socket, to, length, MSG_DONTWAIT);
  });
}

}  // namespace

IoStatus send_frame(int socket, const Bytes& body, Deadline deadline) {
  const auto length = static_cast<std::uint32_t>(body.size());
  Bytes frame(reinterpret_cast<const char*>(&length), sizeof(length));
  frame += body;
  return transfer_all(socket, POLLOUT, deadline, frame.data(), frame.size(),
                      [&](char* from, std::size_t size) {
                        return ::send(socket, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
                      });
}

// Usually one call: it takes all there is, which is never more than one frame, because the two
// sides take turns. With a deadline a poll comes first: the other side has hardly begun then.
IoStatus receive_frame(int socket, Bytes& body, Deadline deadline) {
  std::uint32_t length = 0;
  std::array<char, 4096> first;
  std::size_t size = 0;
  if (deadline) {
    if (const IoStatus status = wait_for(socket, POLLIN, deadline); status != IoStatus::ok) {
      return status;
    }
  }
  while (size < sizeof(length)) {
    const ssize_t done = ::recv(socket, first.data() + size, first.size() - size,
                                deadline ? MSG_DONTWAIT : 0);
    if (done > 0) {
      size += static_cast<std::size_t>(done);
    } else if (done < 0 && errno == EAGAIN) {
      const IoStatus status = wait_for(socket, POLLIN, deadline);
      if (status != IoStatus::ok) return status;
    } else if (done == 0 || errno != EINTR) {
      return IoStatus::closed;
    }
  }
  std::memcpy(&length, first.data(), sizeof(length));
  size -= sizeof(length);
  if (length > body_bytes_max || size > length) return IoStatus::closed;
  body.assign(first.data() + sizeof(length), size);
  body.resize(length);
  return receive_all(socket, body.data() + size, length - size, deadline);
}

}  // namespace pivotcheck::kernel

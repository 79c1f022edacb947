// SPDX-License-Identifier: Apache-2.0
// frame.h: whole messages over a stream socket: four bytes of length, then the body. The owner
// gives a point in time by which it must be through; the executor has all the time of the world,
// and ends when the other side is gone.
#pragma once

#include <chrono>
#include <optional>

#include "check/driver/wire.h"

namespace pivotcheck::kernel {

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

enum class IoStatus : unsigned char { ok, closed, timed_out };

// SIGPIPE is never raised. The socket may be non-blocking.
IoStatus send_frame(int socket, const Bytes& body, Deadline deadline);
IoStatus receive_frame(int socket, Bytes& body, Deadline deadline);

}  // namespace pivotcheck::kernel

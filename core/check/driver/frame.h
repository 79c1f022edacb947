// SPDX-License-Identifier: Apache-2.0
// frame.h: whole messages over a stream socket: four bytes of length, then the body. The owner
// passes a deadline; the executor waits without one, and ends when the owner has ended.
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

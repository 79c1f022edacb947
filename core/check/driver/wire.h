// SPDX-License-Identifier: Apache-2.0
// wire.h: what the owner of a KernelDriver and its executor send each other, as bytes. Both are the
// same program, one a fork of the other, so numbers go as they lie in memory and nothing has a
// version.
//
//     executor -> owner    Progress     set up (nothing performed yet), or why it could not
//     owner -> executor    Request      steps, and the outcome predicted for each (or none)
//     executor -> owner    Progress     paused, where the request wants pauses: before the first
//     owner -> executor    a word       step and after each; whether to go on
//     executor -> owner    Progress     at the end
//
//     on the socket        a frame: u32 length of the body, body
//     string               u32 length, bytes
//     step                 task, subject, u8 index of its verb among prototypes(), its fields()
//
// What a verb itself says (recursive, which propagation) is in the prototype of that verb; so
// neither a new operation nor a new field needs code here, unless it brings a new type of field.
//
// Left out: any check of what is received beyond its length; the other side is ourselves.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "check/driver/failing_allocation.h"
#include "scenario/program.h"

namespace pivotcheck::kernel {

using Bytes = std::string;

struct Request {
  std::vector<ProgramStep> steps;
  std::vector<Outcome> predicted;  // empty, or one for each step
  bool pauses = false;
  FailingAllocation failing;       // none, where its number is 0
};

struct Progress {
  bool paused = false;             // the executor waits for a word whether to go on
  std::vector<Outcome> outcomes;   // of the steps performed since the Progress before
  std::vector<int> descriptors;    // one for each outcome: of a step that opens a handle
  std::vector<pid_t> pids;         // by task, of those made so far, as the machine's /proc has them
  bool allocation_failed = false;  // the one that was to fail was met, and failed
};

// The owner's word in a pause; any other ends the run.
inline constexpr std::string_view continue_word = "+";

Bytes encode(std::span<const ProgramStep> steps, std::span<const Outcome> predicted, bool pauses,
             FailingAllocation failing = {});
Bytes encode(const Expected<Progress>& progress);
// A Failure if the bytes are not what encode() makes; of a Progress also the one that was sent.
Expected<Request> decode_request(const Bytes& body);
Expected<Progress> decode_progress(const Bytes& body);

// --- whole messages over the socket

// The owner passes a deadline; the executor waits without one, and ends when the owner has ended.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

enum class IoStatus : unsigned char { ok, closed, timed_out };

// SIGPIPE is never raised. The socket may be non-blocking.
IoStatus send_frame(int socket, const Bytes& body, Deadline deadline);
IoStatus receive_frame(int socket, Bytes& body, Deadline deadline);

}  // namespace pivotcheck::kernel

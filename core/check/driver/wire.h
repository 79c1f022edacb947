// SPDX-License-Identifier: Apache-2.0
// wire.h: what the owner of a KernelDriver and its executor say to each other, as bytes. Both are the
// same program, one a fork of the other, so numbers go as they lie in memory and nothing has a
// version.
//
//     owner -> executor    Order: the steps, and the outcome predicted for each (or none)
//     executor -> owner    Report: an outcome per step performed, or why it could not
//
//     on the socket        u32 length of the body, body
//     string               u32 length, bytes
//     step                 string task, u8 index of its verb among prototypes(), its fields()
//
// What a verb itself says (recursive, which propagation) is in the prototype of that verb; so
// neither a new operation nor a new field needs code here, unless it brings a new type of field.
//
// Left out: any check of what is received beyond its length; the other side is ourselves.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "op/op.h"

namespace pivotcheck::kernel {

using Bytes = std::string;

struct Order {
  std::vector<Step> steps;
  std::vector<Outcome> predicted;  // empty, or one for each step
};

struct Report {
  std::string failure;            // why the executor could not do its work; "" if it could
  std::vector<Outcome> outcomes;  // of the steps performed
  std::vector<int> details;       // one for each outcome: of an `open`, the descriptor it got
  std::vector<pid_t> pids;        // of each task of the Cast (cast.h) that was made, as in /proc
};

Bytes encode(std::span<const Step> steps, std::span<const Outcome> predicted);
Bytes encode(const Report& report);
// False if the bytes are not what encode() makes.
bool decode(const Bytes& body, Order& order);
bool decode(const Bytes& body, Report& report);

}  // namespace pivotcheck::kernel

// SPDX-License-Identifier: Apache-2.0
// interruption.h: SIGINT, SIGTERM, SIGHUP and SIGQUIT, which ask a command to end.
//
//     the first     what is under way is finished and reported, nothing new is begun; exit status
//                   128 + the signal
//     a second      it ends at once, with the same status
//
// Signals within a second of the first are the same one: timeout(1) sends its signal to the process
// and then to its group. A signal that is ignored when the command starts stays ignored: a shell
// starts background jobs so (SIGINT), and nohup does (SIGHUP).
#pragma once

#include <string>

#include "options/options.h"

namespace pivotcheck::cli {

enum class SecondSignal : unsigned char {
  exits,    // out of the handler: for a command of which no file would be left
  is_noted  // the command asks must_end_at_once()
};

void catch_interruptions(SecondSignal second);
// In a child whose end its parent decides. What it executes keeps it so.
void ignore_interruptions();

[[nodiscard]] bool is_interrupted();
[[nodiscard]] bool must_end_at_once();
[[nodiscard]] std::string interruption();  // "SIGTERM"; "": none
// 128 + the signal if there was one; otherwise `status`.
[[nodiscard]] ExitStatus unless_interrupted(ExitStatus status);

}  // namespace pivotcheck::cli

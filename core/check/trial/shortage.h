// SPDX-License-Identifier: Apache-2.0
// shortage.h: what a step does when something that it needs runs out. The promise: it succeeds and
// the state is the new one, or it is refused and the state is the old one; never one between. And
// nothing is lost: the same step again, when nothing is lacking, does what it should.
//
//     steps before     as the model says
//     the step         the third allocation that it makes fails: ENOMEM, or it gets by without
//     the state        the model's before the step, or after it
//     the step again   what the model answers there, and its state
//
// What may run out:
//
//     allocations   the kernel's fault injection (check/driver/failing_allocation.h)
//     descriptors   RLIMIT_NOFILE of the task (getrlimit(2)): EMFILE
//     mounts        fs.mount-max (Documentation/admin-guide/sysctl/fs.rst): ENOSPC. It is the limit
//                   of the whole machine, so this is for a guest; it is put back after the step
//
// Not asked: where an expiry mark stands or the step makes one, since a refused step may clear it;
// where the model can't say what comes; steps on files and directories alone, and on tasks; and for
// allocations, steps of which a helper makes the call. Namespaces run out in scenarios (`limit`).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "check/driver/kernel_driver.h"
#include "model/predict.h"
#include "observe/observe.h"

namespace pivotcheck {

enum class Lack : unsigned char { allocations, descriptors, mounts };
inline constexpr std::array<std::string_view, 3> lack_names{"allocations", "descriptors", "mounts"};

struct Shortage {
  Lack lack = Lack::allocations;
  unsigned number = 1;  // of the allocation that fails, from 1; or how many there may be in all
};

struct ShortageResult {
  enum class Kind : unsigned char {
    refused,    // and the state is the old one
    succeeded,  // in spite of it, and the state is the new one
    enough,     // nothing was lacking: the step succeeded, and a larger number makes no difference
    between,    // neither state, or the step did not do the same again
    failed,     // the harness could not do its work
  };
  Kind kind = Kind::failed;
  Outcome outcome;                       // of the step, when it was lacking
  std::vector<std::string> differences;  // from the state that was due
  std::string reason;                    // one line, where it is between or failed
};

// Why the last step of the prediction is not asked; "": it is.
std::string_view why_not_asked(const Prediction& predicted, Lack lack);
// "" if it can run out here; otherwise what is missing.
std::string why_never(Lack lack);

class ShortageTrial {
 public:
  static Expected<ShortageTrial> make();

  // The last step of the prediction, which succeeds, is the one.
  ShortageResult run(const Prediction& predicted, Shortage shortage);
  // Ends the processes, and with them all worlds: what the kernel still has then is lost.
  void end_worlds() { drivers_ = {}; }

 private:
  explicit ShortageTrial(Observer observer) : observer_(std::move(observer)) {}

  Observer observer_;
  std::array<std::optional<KernelDriver>, 2> drivers_;  // by Privilege
};

}  // namespace pivotcheck

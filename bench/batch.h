// SPDX-License-Identifier: Apache-2.0
// batch.h: some cycles of a setting in a process of their own, which ends with all that it made;
// and the crowd of idle threads. Both die with the process that started them, however that dies.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/failure.h"
#include "cycle.h"
#include "setting.h"

namespace pivotcheck::bench {

// As many samples as there are cycles; of a parallel setting one.
Expected<std::vector<Sample>> run_batch(const Work& work, unsigned cycles);

// The state at the end of the steps (cycle.h), found out in a process of its own.
Expected<std::string> end_of_steps(const Work& work);

// Threads that sleep. Each is one more for pivot_root to look at.
class Crowd {
 public:
  Crowd() = default;
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() { resize(0); }
  Expected<void> resize(unsigned threads);

 private:
  void dismiss();
  std::vector<pid_t> processes_;
  unsigned threads_ = 0;
};

}  // namespace pivotcheck::bench

// SPDX-License-Identifier: Apache-2.0
// cycle.h: cycles of one setting, in the calling process, which is changed for good by it: to be
// called in a process of its own (batch.h).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/failure.h"
#include "setting.h"

namespace pivotcheck::bench {

// Real work that is added to one part, in percent of what it takes: for the test that shows that a
// comparison would notice.
struct Planted {
  Part part = Part::pivot;
  double percent = 0;
};

struct Work {
  Setting setting;
  Planted planted;
  std::string static_true;  // a file
};

// One Sample for each cycle.
Expected<void> run_cycles(const Work& work, std::span<Sample> samples);

// With setting.parallel at once, so many cycles each: the first sample's `cycle` is the wall time
// and the processor time of one cycle, on the whole.
Expected<void> run_parallel(const Work& work, unsigned cycles, Sample& sample);

// What mountinfo says at the end of the steps, by this setting's road; ids replaced by their order.
Expected<std::string> mounts_at_the_end(const Work& work);

}  // namespace pivotcheck::bench

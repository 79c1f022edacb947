// SPDX-License-Identifier: Apache-2.0
// faults.cc: which fault is planted. Nothing of this is in a build that people run.
#include "model/faults.h"

#ifdef PIVOTCHECK_PLANTED_FAULTS

#include <array>
#include <optional>

namespace pivotcheck {
namespace {

constexpr std::array table{
#define PIVOTCHECK_FAULT(identifier, description) \
  FaultInfo{Fault::identifier, #identifier, description},
    PIVOTCHECK_FAULTS(PIVOTCHECK_FAULT)
#undef PIVOTCHECK_FAULT
};

std::optional<Fault> the_planted_one;

}  // namespace

std::span<const FaultInfo> fault_table() { return table; }

bool plant(std::string_view name) {
  if (name.empty()) the_planted_one.reset();
  for (const FaultInfo& row : table) {
    if (row.name != name) continue;
    the_planted_one = row.fault;
    return true;
  }
  return name.empty();
}

bool planted(Fault fault) { return the_planted_one == fault; }

}  // namespace pivotcheck

#endif

// SPDX-License-Identifier: Apache-2.0
// faults.cc: a build with planted faults (model/faults.h) has an option that plants one, and a
// subcommand that lists them. No other build has anything of this.
#ifdef PIVOTCHECK_PLANTED_FAULTS

#include "model/faults.h"

#include <fmt/format.h>

#include "commands.h"
#include "output.h"

namespace pivotcheck::cli {

CommandSpec faults_command() {
  return {.name = "faults", .summary = "List the faults that can be planted", .run = [] {
            for (const FaultInfo& fault : fault_table()) {
              print(fmt::format("{:<30}  {}\n", fault.name, fault.description));
            }
            return ExitStatus::agreed;
          }};
}

}  // namespace pivotcheck::cli

#endif

// SPDX-License-Identifier: Apache-2.0
// faults.cc: a build with planted faults (model/faults.h) has an option that plants one, and a
// subcommand that lists them. No other build has anything of this.
#ifdef PIVOTCHECK_PLANTED_FAULTS

#include "model/faults.h"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include "commands.h"
#include "output.h"

namespace pivotcheck::cli {

void add_faults(CLI::App& app, ExitStatus& status) {
  app.add_option_function<std::string>(
         "--planted-fault",
         [](const std::string& name) {
           if (!plant(name)) throw CLI::ValidationError("--planted-fault", "no fault " + name);
         },
         "what the model is to do wrong (pivotcheck faults lists what there is)")
      ->trigger_on_parse();
  CLI::App* command = app.add_subcommand("faults", "List the faults that can be planted");
  command->callback([&status] {
    for (const FaultInfo& fault : fault_table()) {
      print(fmt::format("{:<30}  {}\n", fault.name, fault.description));
    }
    status = ExitStatus::agreed;
  });
}

}  // namespace pivotcheck::cli

#endif

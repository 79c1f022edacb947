// SPDX-License-Identifier: Apache-2.0
// privileges.cc: see privileges.h.
#include "privileges.h"

#include <unistd.h>

#include <utility>

#include <fmt/format.h>

#include "output.h"

namespace pivotcheck::cli {

std::vector<Privilege> find_privileges(const TrialSettings& settings, std::string& wanted,
                                       std::string_view done) {
  std::vector<Privilege> found;
  auto trial = Trial::make(settings);
  if (!trial) {
    complain(trial.error().what);
    return found;
  }
  if (wanted.empty()) {
    wanted = !settings.asks_kernel || ::geteuid() == 0 ? "both" : "userns";
    if (wanted == "userns") {
      complain(fmt::format("not root: only worlds in user namespaces are {} (privilege userns)",
                           done));
    }
  }
  constexpr std::pair<std::string_view, Privilege> privileges[] = {{"userns", Privilege::userns},
                                                                   {"root", Privilege::root}};
  for (const auto& [name, privilege] : privileges) {
    if (wanted != name && wanted != "both") continue;
    if (const auto started = trial->start(privilege)) {
      found.push_back(privilege);
    } else {
      complain(fmt::format("privilege {}: {}", name, started.error().what));
    }
  }
  return found;
}

}  // namespace pivotcheck::cli

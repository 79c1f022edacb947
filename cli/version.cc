// SPDX-License-Identifier: Apache-2.0
// version.cc: the text of --version. The header is made at build time (commit.cmake).
#include "commands.h"
#include "commit.h"

namespace pivotcheck::cli {

std::string version_text() {
  return "pivotcheck " PIVOTCHECK_VERSION " (commit " PIVOTCHECK_COMMIT ")";
}

}  // namespace pivotcheck::cli

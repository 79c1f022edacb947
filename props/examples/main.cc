// SPDX-License-Identifier: Apache-2.0
// main.cc: the main of the examples: doctest's, and what could not run (examples.h).
//
// Exit status: doctest's; 77 where nothing failed but a test case could not run, in whole or in
// part.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <set>
#include <string>

#include "examples.h"

namespace {
std::set<std::string> cases_not_run;
}

void pivotcheck::not_run(std::string_view reason) {
  const doctest::TestCaseData& test_case = *doctest::getContextOptions()->currentTest;
  std::fprintf(stderr, "NOT RUN: %s: %.*s\n", test_case.m_name, static_cast<int>(reason.size()),
               reason.data());
  cases_not_run.insert(test_case.m_name);
}

int main(int argc, char** argv) {
  constexpr int skip_status = 77;  // SKIP_RETURN_CODE in props/CMakeLists.txt
  doctest::Context context(argc, argv);
  const int status = context.run();
  if (cases_not_run.empty()) return status;
  std::fprintf(stderr, "NOT RUN: %zu test cases, in whole or in part\n", cases_not_run.size());
  return status == 0 ? skip_status : status;
}

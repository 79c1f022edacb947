// SPDX-License-Identifier: Apache-2.0
// main.cc: the main of the examples: doctest's own.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

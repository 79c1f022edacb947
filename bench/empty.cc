// SPDX-License-Identifier: Apache-2.0
// empty.cc: what a program costs that is linked as the command is (same libraries, same options),
// and does nothing; or, with arguments, only executes them. It is what `ci/bench --rivals`
// measures the command against: what is left is the command's own.
#include <unistd.h>

int main(int, char** argv) {
  if (argv[1] == nullptr) return 0;
  ::execv(argv[1], argv + 1);
  return 127;
}

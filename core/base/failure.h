// SPDX-License-Identifier: Apache-2.0
// failure.h: the harness could not do its work: no user namespaces, a worker died, a file can't be
// read. Reported with exit status 3 or 4; never a result of the kernel. What else can go wrong, and
// which type says so: CONTRIBUTING.md, "When something goes wrong".
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace pivotcheck {

struct Failure {
  enum class Kind {
    cannot_run,    // this machine can't run it at all (exit status 4): which call, which errno
    broke,         // it should have worked: a worker died, a descriptor ran out (exit status 3)
    deadline,      // the deadline passed (exit status 3)
  };
  Kind kind = Kind::broke;
  std::string what;  // one line: the call, the errno's name, and what to change where that is known
  int error = 0;     // that errno; 0: none applies
};

template <class T>
using Expected = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> fail(std::string what,
                                                   Failure::Kind kind = Failure::Kind::broke,
                                                   int error = 0) {
  return std::unexpected(Failure{kind, std::move(what), error});
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// space.h: what an exhaustive search goes through: from one start every sequence of the operations
// of an alphabet, each with every argument over the start's places and its handle.
//
//     layout two-peers          set-up steps, a world that is small and worth knowing
//       places  / /a /b ...     where operations act; at most five
//     alphabet propagation      mount P, bind P Q, move P Q, make-shared P, umount P ...
//       operations              with five places 110 of them, numbered
//
//     path 17 3 88              a sequence: the numbers of its operations
//
// Names that differ in nothing else count once (symmetry.h), and a task has one handle, h. No
// operation makes or removes a name, a task or a place; a longer search reaches more mounts, not
// more names. So what needs another directory, a third task or a second handle is not in any space
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "check/exhaust/symmetry.h"
#include "op/privilege.h"
#include "scenario/program.h"
#include "scenario/scenario.h"

namespace pivotcheck::exhaust {

struct Layout {
  std::string name;
  std::string sentence;  // what world it is
  Scenario set_up;       // steps only
  std::vector<Path> places;
};

inline constexpr std::size_t places_max = 5;

// Of a scenario: its title is the sentence, the first `about:` has the places, with blanks between.
// nullopt where these are not one to five paths.
std::optional<Layout> layout_of(std::string name, Scenario scenario);

// Those of corpus/layouts, which are part of the program, in the order in which they are searched:
// those of fewer steps first.
const std::vector<Layout>& layouts();
const Layout* find_layout(std::string_view name);  // nullptr if there is none

struct Alphabet {
  std::string_view name;
  std::string_view sentence;
};
std::span<const Alphabet> alphabets();

using Letter = std::uint16_t;  // the number of an operation
using Sequence = std::span<const Letter>;

// A renaming that makes operations of the space of all its operations.
struct Symmetry {
  Renaming renaming;
  std::vector<Letter> letters;  // by Letter: what the operation becomes
};

struct Space {
  std::string layout;
  std::string alphabet;
  Privilege privilege = Privilege::userns;
  int tasks = 1;                        // how many tasks perform operations
  Program set_up;                       // the names of all tasks and handles are resolved in it
  std::vector<ProgramStep> operations;  // by Letter
  std::vector<Symmetry> symmetries;     // all but the one that changes nothing

  // The set-up, then the sequence.
  [[nodiscard]] Program program(Sequence sequence) const;
  [[nodiscard]] std::string text(Letter letter) const;  // "bind /a /b"
  [[nodiscard]] std::vector<Renaming> renamings() const;
};

// A failure where there is no alphabet of that name, or a task that is to perform operations has
// ended. Where a second task is to and the layout has none, it is spawned at the end of the set-up.
Expected<Space> make_space(const Layout& layout, Privilege privilege, std::string_view alphabet,
                           int tasks);

}  // namespace pivotcheck::exhaust

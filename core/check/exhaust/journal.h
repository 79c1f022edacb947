// SPDX-License-Identifier: Apache-2.0
// journal.h: what a search has done, in one file: it is the frontier, and all that is needed to go
// on after a kill.
//
//     settings      what is searched; a journal of another search is refused
//     chunk         of one block of states of one depth: the states to which they led and which
//                   were new (hash and sequence), the rules and situations that nothing reached
//                   before (shortest.h), and the counts
//     chunk         ...
//
// Blocks are done in any order, by many processes; each appends its chunk with one write, after its
// block is done. So what was killed meanwhile has left no chunk, or a part of one at the end, which
// is cut off; its block is done again. The set of states is made anew of the chunks.
//
// The states of a depth are numbered as they come in the file. Without a name the file has none
// in any folder, and is gone with its last process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "check/exhaust/canonical_state.h"
#include "check/exhaust/space.h"
#include "check/laws/laws.h"

namespace pivotcheck::exhaust {

// Numbers of 64 bits and nothing else: add() relies on that.
struct Counts {
  std::uint64_t states = 0;        // that were expanded
  std::uint64_t transitions = 0;   // operations at these states, but those that are left out
  std::uint64_t refused = 0;       // of the transitions
  std::uint64_t renamed = 0;       // not tried: operations that are another one, renamed
  std::uint64_t too_many = 0;      // left out: worlds of too many mounts
  std::uint64_t leaves_world = 0;  // left out: never performed (FORMAT.md)
  std::uint64_t too_large = 0;
  std::uint64_t unclear_master = 0;
  std::uint64_t unclear_mark = 0;
  std::uint64_t unclear_cover = 0;
  std::uint64_t not_remembered = 0;  // new states for which the set had no place
  std::uint64_t worlds = 0;          // performed on the kernel
  std::uint64_t state_unseen = 0;    // of these: only a part of the state could be read
  std::uint64_t differences = 0;
  std::uint64_t broken_laws = 0;
  std::uint64_t failures = 0;  // the harness could not do its work
  std::uint64_t sum_low = 0;   // of the hashes of the states that were expanded, so that the
  std::uint64_t sum_high = 0;  // parts of a search can be held against the whole
  laws::AskedCounts laws_asked{};

  void add(const Counts& other);
};

struct NewState {
  StateHash hash;
  std::vector<Letter> sequence;
};

struct Reached {
  std::size_t target = 0;  // Targets
  std::vector<Letter> sequence;
};

struct Block {
  std::uint64_t begin = 0;  // numbers of states of one depth
  std::uint64_t end = 0;
};

// What one block led to.
struct Chunk {
  std::uint32_t depth = 0;  // of the states in the block
  Block block;
  Counts counts;
  std::vector<NewState> found;   // of the next depth
  std::vector<Reached> reached;  // by as many operations
};

class Journal {
 public:
  // `path`: "" for a file without a name. `settings` is what a journal of this search begins with.
  static Expected<Journal> open(const std::string& path, const std::string& settings);

  // With one write, so that several processes may.
  Expected<void> append(const Chunk& chunk) const;

  // Reads the chunks that were appended since the last call; `visit` gets each. If a process was
  // killed while it wrote a chunk, the first call removes that part from the end of the file.
  Expected<void> read(const std::function<void(const Chunk&)>& visit);

  // After read(): how many states of a depth there are (of depth 0 there is one), and what of the
  // depth is still to be expanded, in blocks of at most so many.
  [[nodiscard]] std::uint64_t states(std::uint32_t depth) const;
  [[nodiscard]] std::vector<Block> blocks_left(std::uint32_t depth, std::uint64_t size) const;
  // The states of a block.
  [[nodiscard]] Expected<std::vector<NewState>> states(std::uint32_t depth, Block block) const;

 private:
  struct Part {  // of a depth: what one chunk holds of it
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t offset = 0;  // in the file
  };

  UniqueFd file_;
  std::uint64_t read_to_ = 0;
  std::vector<std::vector<Part>> parts_;  // by depth
  std::vector<std::vector<Block>> done_;  // by depth, of the states that were expanded
};

}  // namespace pivotcheck::exhaust

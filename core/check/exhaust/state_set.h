// SPDX-License-Identifier: Apache-2.0
// state_set.h: the states that were met, by their hashes, in memory that processes share: a process
// that makes one, and those that it forks.
//
// Its size never changes. When it is full, a state is still met, but not remembered: it may be met
// again as a new one. That is counted, and loses no state.
//
// A process that is killed while it adds leaves a place half written, for which the others would
// wait. Whoever forks them ends them all when one dies.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/failure.h"
#include "check/exhaust/canonical_state.h"

namespace pivotcheck::exhaust {

class StateSet {
 public:
  enum class Added : unsigned char { is_new, known, full };

  // As many places as fit in so many bytes. Pages that are never written take no memory.
  static Expected<StateSet> make(std::size_t bytes);
  StateSet(StateSet&& other) noexcept;
  StateSet& operator=(StateSet&&) = delete;
  ~StateSet();

  Added add(StateHash hash);
  [[nodiscard]] bool contains(StateHash hash) const;
  [[nodiscard]] std::uint64_t size() const { return header_->count; }

 private:
  struct Header {
    std::atomic<std::uint64_t> count;
  };
  struct Place {
    std::atomic<std::uint64_t> low;   // 0: empty
    std::atomic<std::uint64_t> high;  // 0: not written yet
  };

  StateSet() = default;

  Header* header_ = nullptr;
  Place* places_ = nullptr;
  std::size_t places_count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace pivotcheck::exhaust

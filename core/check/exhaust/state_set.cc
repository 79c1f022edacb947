// SPDX-License-Identifier: Apache-2.0
// state_set.cc: open addressing. A place is taken by the first word of a hash; the second follows.
#include "check/exhaust/state_set.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "op/outcome.h"

namespace pivotcheck::exhaust {

Expected<StateSet> StateSet::make(std::size_t bytes) {
  constexpr std::size_t page = 4096;
  StateSet set;
  set.bytes_ = std::max(bytes, 2 * page);
  void* memory = ::mmap(nullptr, set.bytes_, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return fail("mmap of the set of states: " + errno_name(errno));
  set.header_ = static_cast<Header*>(memory);
  set.places_ = reinterpret_cast<Place*>(static_cast<std::byte*>(memory) + page);
  set.places_count_ = (set.bytes_ - page) / sizeof(Place);
  return set;
}

StateSet::StateSet(StateSet&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)),
      places_(std::exchange(other.places_, nullptr)),
      places_count_(other.places_count_),
      bytes_(other.bytes_) {}

StateSet::~StateSet() {
  if (header_ != nullptr) ::munmap(header_, bytes_);
}

StateSet::Added StateSet::add(StateHash hash) {
  for (std::size_t i = hash.high % places_count_;; i = (i + 1) % places_count_) {
    Place& place = places_[i];
    std::uint64_t low = place.low;
    if (low == 0) {
      // A full table makes searches long, and a search needs an end.
      if (header_->count >= places_count_ / 8 * 7) return Added::full;
      if (place.low.compare_exchange_strong(low, hash.low)) {
        place.high = hash.high;
        ++header_->count;
        return Added::is_new;
      }
    }
    if (low != hash.low) continue;
    std::uint64_t high = place.high;
    while (high == 0) high = place.high;
    if (high == hash.high) return Added::known;
  }
}

bool StateSet::contains(StateHash hash) const {
  for (std::size_t i = hash.high % places_count_;; i = (i + 1) % places_count_) {
    const std::uint64_t low = places_[i].low;
    if (low == 0) return false;
    if (low == hash.low && places_[i].high == hash.high) return true;
  }
}

}  // namespace pivotcheck::exhaust

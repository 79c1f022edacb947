// SPDX-License-Identifier: Apache-2.0
// journal.cc: numbers go as they lie in memory: the file is read on the machine that wrote it, by
// the same program. A chunk is Head, a record for each state that was found, one for each target
// that was reached, and the word that ends it.
#include "check/exhaust/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "op/outcome.h"

namespace pivotcheck::exhaust {
namespace {

constexpr std::uint64_t chunk_word = 0x6b6e756863206f6eULL;

struct Head {
  std::uint64_t word = chunk_word;
  std::uint64_t depth = 0;
  Block block;
  std::uint64_t found = 0;
  std::uint64_t reached = 0;
  Counts counts;
};

using Target = std::uint16_t;

std::size_t record_bytes(std::uint64_t depth) { return sizeof(StateHash) + depth * sizeof(Letter); }
std::size_t reached_bytes(std::uint64_t depth) { return sizeof(Target) + depth * sizeof(Letter); }

std::uint64_t chunk_bytes(const Head& head) {
  const std::uint64_t depth = head.depth + 1;
  return sizeof(Head) + head.found * record_bytes(depth) + head.reached * reached_bytes(depth) +
         sizeof(chunk_word);
}

void put(std::string& bytes, const void* from, std::size_t size) {
  bytes.append(static_cast<const char*>(from), size);
}

bool read_at(int file, void* into, std::size_t size, std::uint64_t offset) {
  auto* to = static_cast<char*>(into);
  while (size > 0) {
    const ssize_t got = ::pread(file, to, size, static_cast<off_t>(offset));
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

std::unexpected<Failure> journal_failure(const std::string& what) {
  return fail("the journal: " + what, Failure::Kind::broke, errno);
}

// The processes of a search that was killed hold it until they have ended, too.
bool lock(int file) {
  constexpr int tries_max = 100;
  for (int i = 0; i < tries_max; ++i) {
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

UniqueFd open_file(const std::string& path) {
  if (!path.empty())
    return UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const char* folder = std::getenv("TMPDIR");
  UniqueFd file(
      ::open(folder == nullptr ? "/tmp" : folder, O_RDWR | O_TMPFILE | O_APPEND | O_CLOEXEC, 0600));
  if (file) return file;
  UniqueFd memory(::memfd_create("pivotcheck", MFD_CLOEXEC));
  if (memory) ::fcntl(memory.get(), F_SETFL, O_APPEND);
  return memory;
}

std::vector<NewState> parsed(std::string_view bytes, std::uint64_t depth) {
  std::vector<NewState> states;
  for (std::size_t at = 0; at < bytes.size(); at += record_bytes(depth)) {
    NewState& state = states.emplace_back();
    state.sequence.resize(depth);
    std::memcpy(&state.hash, bytes.data() + at, sizeof(StateHash));
    std::memcpy(state.sequence.data(), bytes.data() + at + sizeof(StateHash),
                depth * sizeof(Letter));
  }
  return states;
}

std::vector<Reached> parsed_reached(std::string_view bytes, std::uint64_t depth) {
  std::vector<Reached> result;
  for (std::size_t at = 0; at < bytes.size(); at += reached_bytes(depth)) {
    Target target = 0;
    std::memcpy(&target, bytes.data() + at, sizeof(target));
    Reached& reached = result.emplace_back(Reached{target, std::vector<Letter>(depth)});
    std::memcpy(reached.sequence.data(), bytes.data() + at + sizeof(target),
                depth * sizeof(Letter));
  }
  return result;
}

}  // namespace

void Counts::add(const Counts& other) {
  static_assert(sizeof(Counts) % sizeof(std::uint64_t) == 0);
  auto* mine = reinterpret_cast<std::uint64_t*>(this);
  const auto* theirs = reinterpret_cast<const std::uint64_t*>(&other);
  for (std::size_t i = 0; i < sizeof(Counts) / sizeof(std::uint64_t); ++i) mine[i] += theirs[i];
}

Expected<Journal> Journal::open(const std::string& path, const std::string& settings) {
  Journal journal;
  journal.file_ = open_file(path);
  const int file = journal.file_.get();
  if (!journal.file_) return fail(path + ": " + errno_name(errno));
  if (!path.empty() && !lock(file)) return fail(path + ": another process works on it");
  std::string begin = std::to_string(settings.size()) + "\n" + settings;
  begin.resize((begin.size() + 7) / 8 * 8, '\n');
  std::string there(begin.size(), '\0');
  struct stat status {};
  if (::fstat(file, &status) != 0) return journal_failure(errno_name(errno));
  if (status.st_size == 0) {
    if (::write(file, begin.data(), begin.size()) != static_cast<ssize_t>(begin.size())) {
      return journal_failure(errno_name(errno));
    }
  } else if (!read_at(file, there.data(), there.size(), 0) || there != begin) {
    return fail(path + ": this is the journal of another search");
  }
  journal.read_to_ = begin.size();
  return journal;
}

Expected<void> Journal::append(const Chunk& chunk) const {
  Head head;
  std::memset(static_cast<void*>(&head), 0, sizeof(head));
  head = {.word = chunk_word,
          .depth = chunk.depth,
          .block = chunk.block,
          .found = chunk.found.size(),
          .reached = chunk.reached.size(),
          .counts = chunk.counts};
  std::string bytes;
  bytes.reserve(chunk_bytes(head));
  put(bytes, &head, sizeof(head));
  for (const NewState& state : chunk.found) {
    put(bytes, &state.hash, sizeof(state.hash));
    put(bytes, state.sequence.data(), state.sequence.size() * sizeof(Letter));
  }
  for (const Reached& reached : chunk.reached) {
    const auto target = static_cast<Target>(reached.target);
    put(bytes, &target, sizeof(target));
    put(bytes, reached.sequence.data(), reached.sequence.size() * sizeof(Letter));
  }
  put(bytes, &chunk_word, sizeof(chunk_word));
  const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) {
    return journal_failure(written < 0 ? errno_name(errno) : "the disk is full");
  }
  return {};
}

Expected<void> Journal::read(const std::function<void(const Chunk&)>& visit) {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return journal_failure(errno_name(errno));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  while (read_to_ + sizeof(Head) <= size) {
    Head head;
    if (!read_at(file_.get(), &head, sizeof(head), read_to_)) break;
    if (head.word != chunk_word || read_to_ + chunk_bytes(head) > size) break;
    const std::uint64_t next_depth = head.depth + 1;
    const std::uint64_t records = read_to_ + sizeof(Head);
    std::string bytes(chunk_bytes(head) - sizeof(Head), '\0');
    if (!read_at(file_.get(), bytes.data(), bytes.size(), records)) break;
    const std::size_t end = bytes.size() - sizeof(chunk_word);
    if (std::memcmp(bytes.data() + end, &chunk_word, sizeof(chunk_word)) != 0) break;
    const std::size_t found_bytes = head.found * record_bytes(next_depth);
    const std::string_view all(bytes.data(), end);
    parts_.resize(std::max<std::size_t>(parts_.size(), next_depth + 1));
    done_.resize(parts_.size());
    if (head.found > 0) {
      parts_[next_depth].push_back(
          {states(static_cast<std::uint32_t>(next_depth)), head.found, records});
    }
    done_[head.depth].push_back(head.block);
    visit({.depth = static_cast<std::uint32_t>(head.depth),
           .block = head.block,
           .counts = head.counts,
           .found = parsed(all.substr(0, found_bytes), next_depth),
           .reached = parsed_reached(all.substr(found_bytes), next_depth)});
    read_to_ += chunk_bytes(head);
  }
  if (read_to_ == size) return {};
  if (::ftruncate(file_.get(), static_cast<off_t>(read_to_)) != 0) {
    return journal_failure(errno_name(errno));
  }
  return {};
}

std::uint64_t Journal::states(std::uint32_t depth) const {
  if (depth == 0) return 1;
  if (depth >= parts_.size() || parts_[depth].empty()) return 0;
  return parts_[depth].back().first + parts_[depth].back().count;
}

std::vector<Block> Journal::blocks_left(std::uint32_t depth, std::uint64_t size) const {
  std::vector<Block> done;
  if (depth < done_.size()) done = done_[depth];
  std::ranges::sort(done, {}, &Block::begin);
  std::vector<Block> left;
  const auto add = [&](std::uint64_t begin, std::uint64_t end) {
    for (; begin < end; begin += size) left.push_back({begin, std::min(begin + size, end)});
  };
  std::uint64_t at = 0;
  for (const Block& block : done) {
    add(at, block.begin);
    at = block.end;
  }
  add(at, states(depth));
  return left;
}

Expected<std::vector<NewState>> Journal::states(std::uint32_t depth, Block block) const {
  if (depth == 0) return std::vector<NewState>(1);
  std::vector<NewState> result;
  const std::vector<Part>& parts = parts_[depth];
  auto part = std::ranges::upper_bound(parts, block.begin, {}, &Part::first) - 1;
  for (std::uint64_t at = block.begin; at < block.end; ++part) {
    const std::uint64_t end = std::min(block.end, part->first + part->count);
    std::string bytes((end - at) * record_bytes(depth), '\0');
    const std::uint64_t offset = part->offset + (at - part->first) * record_bytes(depth);
    if (!read_at(file_.get(), bytes.data(), bytes.size(), offset)) {
      return journal_failure("it can't be read");
    }
    for (NewState& state : parsed(bytes, depth)) result.push_back(std::move(state));
    at = end;
  }
  return result;
}

}  // namespace pivotcheck::exhaust

// SPDX-License-Identifier: Apache-2.0
// wire.cc: to bytes and back. Writer and Reader have one function per type of field,
// in the same order.
#include "check/driver/wire.h"

#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace pivotcheck::kernel {
namespace {

class Writer {
 public:
  template <class Number>
    requires std::integral<Number> || std::is_enum_v<Number>
  void operator()(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void operator()(const std::string& text) {
    (*this)(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
  }
  void operator()(const Path& path) {
    (*this)(path.handle);
    (*this)(path.slot);
    (*this)(path.text);
  }
  void operator()(const TaskName& name) { (*this)(name.text); }
  void operator()(const HandleName& name) { (*this)(name.slot); }
  void operator()(const LinkTarget& target) { (*this)(target.text); }
  void operator()(Mode mode) { (*this)(mode.bits); }
  template <class Enum>
  void operator()(FlagSet<Enum> flags) {
    (*this)(flags.bits());
  }
  void operator()(RemountFlags remount) { (*this)(remount.flags); }
  void operator()(RecursiveWord word) { (*this)(word.on); }
  void operator()(const AttributeChange& change) {
    (*this)(change.set);
    (*this)(change.clear);
    (*this)(change.propagation.has_value());
    (*this)(change.propagation.value_or(Propagation{}));
  }
  void operator()(Outcome outcome) { (*this)(outcome.error); }
  template <class Item>
  void operator()(const std::vector<Item>& items) {
    (*this)(static_cast<std::uint32_t>(items.size()));
    for (const Item& item : items) (*this)(item);
  }
  void operator()(const ProgramStep& step);

  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class Reader {
 public:
  explicit Reader(const Bytes& bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  template <class Number>
    requires std::integral<Number> || std::is_enum_v<Number>
  void operator()(Number& value) {
    if (const char* from = take(sizeof(value))) std::memcpy(&value, from, sizeof(value));
  }
  void operator()(std::string& text) {
    const std::uint32_t size = count();
    if (const char* from = take(size)) text.assign(from, size);
  }
  void operator()(Path& path) {
    (*this)(path.handle);
    (*this)(path.slot);
    (*this)(path.text);
  }
  void operator()(TaskName& name) { (*this)(name.text); }
  void operator()(HandleName& name) { (*this)(name.slot); }
  void operator()(LinkTarget& target) { (*this)(target.text); }
  void operator()(Mode& mode) { (*this)(mode.bits); }
  template <class Enum>
  void operator()(FlagSet<Enum>& flags) {
    std::uint8_t bits = 0;
    (*this)(bits);
    flags = FlagSet<Enum>::from_bits(bits);
  }
  void operator()(RemountFlags& remount) { (*this)(remount.flags); }
  void operator()(RecursiveWord& word) { (*this)(word.on); }
  void operator()(AttributeChange& change) {
    (*this)(change.set);
    (*this)(change.clear);
    bool changed = false;
    Propagation to{};
    (*this)(changed);
    (*this)(to);
    if (changed) change.propagation = to;
  }
  void operator()(Outcome& outcome) { (*this)(outcome.error); }
  template <class Item>
  void operator()(std::vector<Item>& items) {
    const std::uint32_t size = count();
    items.resize(static_cast<std::size_t>(end_ - at_) < size ? 0 : size);  // an item has a byte
    for (Item& item : items) (*this)(item);
  }
  void operator()(ProgramStep& step);

  // Everything was there, and nothing is left.
  [[nodiscard]] bool complete() const { return good_ && at_ == end_; }

 private:
  std::uint32_t count() {
    std::uint32_t value = 0;
    (*this)(value);
    return value;
  }
  const char* take(std::size_t size) {
    good_ = good_ && static_cast<std::size_t>(end_ - at_) >= size;
    if (!good_) return nullptr;
    return std::exchange(at_, at_ + size);
  }

  const char* at_;
  const char* end_;
  bool good_ = true;
};

void Writer::operator()(const ProgramStep& step) {
  (*this)(step.task);
  (*this)(step.subject);
  const std::size_t index = verb_index(step.op);
  PIVOTCHECK_CHECK(index < prototypes().size());
  (*this)(static_cast<std::uint8_t>(index));
  std::visit([this](const auto& op) { op.fields(op, *this); }, step.op);
}

void Reader::operator()(ProgramStep& step) {
  (*this)(step.task);
  (*this)(step.subject);
  std::uint8_t index = 0;
  (*this)(index);
  good_ = good_ && index < prototypes().size();
  if (!good_) return;
  step.op = prototypes()[index];
  std::visit([this](auto& op) { op.fields(op, *this); }, step.op);
}

template <class Item>
void write_all(Writer& write, std::span<const Item> items) {
  write(static_cast<std::uint32_t>(items.size()));
  for (const Item& item : items) write(item);
}

}  // namespace

Bytes encode(std::span<const ProgramStep> steps, std::span<const Outcome> predicted, bool pauses) {
  Writer write;
  write_all(write, steps);
  write_all(write, predicted);
  write(pauses);
  return write.take();
}

Bytes encode(const Expected<Progress>& progress) {
  Writer write;
  write(progress.has_value());
  if (!progress) {
    write(progress.error().what);
    return write.take();
  }
  write(progress->paused);
  write(progress->outcomes);
  write(progress->descriptors);
  write(progress->pids);
  return write.take();
}

Expected<Request> decode_request(const Bytes& body) {
  Reader read(body);
  Request request;
  read(request.steps);
  read(request.predicted);
  read(request.pauses);
  if (!read.complete()) return fail("a request that can't be read");
  return request;
}

Expected<Progress> decode_progress(const Bytes& body) {
  Reader read(body);
  bool good = false;
  read(good);
  Progress progress;
  std::string what;
  if (good) {
    read(progress.paused);
    read(progress.outcomes);
    read(progress.descriptors);
    read(progress.pids);
  } else {
    read(what);
  }
  if (!read.complete()) return fail("an answer that can't be read");
  if (!good) return fail(std::move(what));
  return progress;
}

}  // namespace pivotcheck::kernel

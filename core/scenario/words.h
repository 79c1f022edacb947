// SPDX-License-Identifier: Apache-2.0
// words.h: one line of a scenario as words. Only parse.cc needs it.
//
//     bind "/a b" /c => ok    # why
//     ----  ----  -- -- --    ^end (its column is one past the line's last byte)
//     plain quoted   mark
//
// A word ends at a blank, at the end of the line, or where an unquoted `=>` begins. '#' begins a
// comment at the start of the line or after a blank; inside a word it is a character.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "scenario/syntax.h"

namespace pivotcheck::syntax {

struct Word {
  enum class Kind : unsigned char { end, mark, plain, quoted };
  Kind kind = Kind::end;
  std::string_view
      text;        // of a quoted word: what it stands for; valid until the next call of next()
  int column = 0;  // bytes, from 1

  [[nodiscard]] bool is_argument() const { return kind == Kind::plain || kind == Kind::quoted; }
};

// What is wrong with a line.
struct Complaint {
  int column = 0;
  std::string what;
};

constexpr int column_at(std::size_t position) { return static_cast<int>(position) + 1; }

class Words {
 public:
  Words() = default;
  // The words of `line` from byte `start` on; a line start or a blank stands before it.
  Words(std::string_view line, std::size_t start) : line_(line), position_(start) {}

  // Reads the next word. After the last one stands Kind::end, as often as it is asked for.
  std::expected<Word, Complaint> next() {
    while (position_ < line_.size() && is_blank(line_[position_])) ++position_;
    const std::size_t start = position_;
    const bool after_blank = start == 0 || is_blank(line_[start - 1]);
    if (start == line_.size() || (after_blank && line_[start] == '#')) {
      position_ = line_.size();
      return Word{Word::Kind::end, {}, column_at(line_.size())};
    }
    if (mark_at(start)) {
      position_ += outcome_mark.size();
      return Word{Word::Kind::mark, outcome_mark, column_at(start)};
    }
    if (line_[start] == '"') return quoted();
    while (!at_end_of_word()) ++position_;
    return Word{Word::Kind::plain, line_.substr(start, position_ - start), column_at(start)};
  }

 private:
  [[nodiscard]] bool mark_at(std::size_t position) const {
    return line_.substr(position).starts_with(outcome_mark);
  }
  [[nodiscard]] bool at_end_of_word() const {
    return position_ == line_.size() || is_blank(line_[position_]) || mark_at(position_);
  }

  std::expected<Word, Complaint> quoted() {
    const std::size_t start = position_++;
    decoded_.clear();
    while (position_ < line_.size() && line_[position_] != '"') {
      if (line_[position_] != '\\') {
        decoded_ += line_[position_++];
        continue;
      }
      const std::expected<char, Complaint> byte = escape();
      if (!byte) return std::unexpected(byte.error());
      decoded_ += *byte;
    }
    if (position_ == line_.size()) return unterminated();
    ++position_;  // the closing quote
    if (!at_end_of_word()) {
      return complain(position_,
                      "write a blank after the closing quote, or \\\" for a quote inside");
    }
    return Word{Word::Kind::quoted, decoded_, column_at(start)};
  }

  // What the escape at position_ stands for.
  std::expected<char, Complaint> escape() {
    const std::size_t start = position_++;
    if (position_ == line_.size()) return unterminated();
    switch (line_[position_++]) {
      case '"': return '"';
      case '\\': return '\\';
      case 'n': return '\n';
      case 't': return '\t';
      case 'x': break;
      default: return complain(start, R"(unknown escape; write one of \" \\ \n \t \xHH)");
    }
    constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
    std::size_t value = 0;
    for (int i = 0; i < 2; ++i) {
      if (position_ == line_.size()) return unterminated();
      const std::size_t digit = digits.find(line_[position_++]);
      if (digit == std::string_view::npos) {
        return complain(start, R"(\x needs two hexadecimal digits, such as \x0A)");
      }
      value = value * 16 + digit % 16;
    }
    if (value == 0) return complain(start, "a path can't have a zero byte; remove \\x00");
    return static_cast<char>(value);
  }

  static std::unexpected<Complaint> complain(std::size_t position, std::string what) {
    return std::unexpected(Complaint{column_at(position), std::move(what)});
  }
  [[nodiscard]] std::unexpected<Complaint> unterminated() const {
    return complain(line_.size(), "the closing quote is missing; write \" where the string ends");
  }

  std::string_view line_;
  std::size_t position_ = 0;
  std::string decoded_;  // a quoted word
};

}  // namespace pivotcheck::syntax

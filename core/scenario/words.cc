// SPDX-License-Identifier: Apache-2.0
// words.cc: splits a line into words and reads quoted strings (words.h has the drawing).
#include "scenario/words.h"

#include "scenario/syntax.h"

namespace pivotcheck::syntax {
namespace {

// The value of a hexadecimal digit, -1 for any other character.
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Word> Words::next() {
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
  while (position_ < line_.size() && !is_blank(line_[position_]) && !mark_at(position_)) {
    ++position_;
  }
  return Word{Word::Kind::plain, line_.substr(start, position_ - start), column_at(start)};
}

bool Words::mark_at(std::size_t position) const {
  return line_[position] == '=' && position + 1 < line_.size() && line_[position + 1] == '>';
}

std::optional<Word> Words::quoted() {
  const std::size_t start = position_++;
  const std::size_t plain_end = line_.find_first_of("\"\\", position_);
  if (plain_end == std::string_view::npos) return unterminated();
  std::string_view text = line_.substr(position_, plain_end - position_);
  position_ = plain_end;
  if (line_[position_] == '\\') {
    decoded_ = text;
    while (position_ < line_.size() && line_[position_] != '"') {
      if (line_[position_] != '\\') {
        decoded_ += line_[position_++];
      } else if (!escape()) {
        return std::nullopt;
      }
    }
    if (position_ == line_.size()) return unterminated();
    text = decoded_;
  }
  ++position_;  // the closing quote
  if (position_ < line_.size() && !is_blank(line_[position_]) && !mark_at(position_)) {
    return complain(position_,
                    "write a blank after the closing quote, or \\\" for a quote inside");
  }
  return Word{Word::Kind::quoted, text, column_at(start)};
}

// Reads the escape at position_ and appends what it stands for.
bool Words::escape() {
  const std::size_t start = position_++;
  if (position_ == line_.size()) return unterminated(), false;
  switch (line_[position_++]) {
    case '"': return decoded_ += '"', true;
    case '\\': return decoded_ += '\\', true;
    case 'n': return decoded_ += '\n', true;
    case 't': return decoded_ += '\t', true;
    case 'x': break;
    default: return complain(start, R"(unknown escape; write one of \" \\ \n \t \xHH)"), false;
  }
  int value = 0;
  for (int digit = 0; digit < 2; ++digit) {
    if (position_ == line_.size()) return unterminated(), false;
    const int digit_value = hex_value(line_[position_++]);
    if (digit_value < 0) {
      return complain(start, R"(\x needs two hexadecimal digits, such as \x0A)"), false;
    }
    value = value * 16 + digit_value;
  }
  if (value == 0) return complain(start, "a path can't have a zero byte; remove \\x00"), false;
  decoded_ += static_cast<char>(value);
  return true;
}

std::nullopt_t Words::complain(std::size_t position, std::string what) {
  complaint_ = {.column = column_at(position), .what = std::move(what)};
  return std::nullopt;
}

std::nullopt_t Words::unterminated() {
  return complain(line_.size(), "the closing quote is missing; write \" where the string ends");
}

std::string shown(std::string_view text) {
  constexpr std::size_t bytes_max = 40;  // a message stays one line of a terminal
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string result = "'";
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      result += c;
    } else {
      result += "\\x";
      result += digits[byte / 16];
      result += digits[byte % 16];
    }
  }
  if (text.size() > bytes_max) result += "...";
  return result += '\'';
}

}  // namespace pivotcheck::syntax

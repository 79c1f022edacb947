// SPDX-License-Identifier: Apache-2.0
// words.h: one line of a scenario as words.
//
//     bind "/a b" /c => ok    # why
//     ----  ----  -- -- --    ^end (its column is one past the line's last byte)
//     plain quoted   mark
//
// A word ends at a blank, at the end of the line, or where an unquoted `=>` begins. '#' begins a
// comment at the start of the line or after a blank; inside a word it is a character.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pivotcheck::syntax {

struct Word {
  enum class Kind : unsigned char { end, mark, plain, quoted };
  Kind kind = Kind::end;
  std::string_view
      text;        // of a quoted word: what it stands for; valid until the next call of next()
  int column = 0;  // bytes, from 1
};

// What is wrong with a line.
struct Complaint {
  int column = 0;
  std::string what;
};

class Words {
 public:
  // The words of `line` from byte `start` on; a line start or a blank stands before it.
  Words(std::string_view line, std::size_t start) : line_(line), position_(start) {}

  // Reads the next word. Nullopt, and complaint() is set, where it is malformed. Behind the last
  // word stands Kind::end, as often as it is asked for.
  std::optional<Word> next();
  [[nodiscard]] const Complaint& complaint() const { return complaint_; }

 private:
  [[nodiscard]] bool mark_at(std::size_t position) const;
  [[nodiscard]] int column_at(std::size_t position) const { return static_cast<int>(position) + 1; }
  std::optional<Word> quoted();
  bool escape();
  std::nullopt_t complain(std::size_t position, std::string what);
  std::nullopt_t unterminated();

  std::string_view line_;
  std::size_t position_;
  std::string decoded_;  // of a quoted word that has escapes
  Complaint complaint_;
};

// `text` in single quotes, short and on one line, as messages show it.
std::string shown(std::string_view text);

}  // namespace pivotcheck::syntax

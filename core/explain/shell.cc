// SPDX-License-Identifier: Apache-2.0
// shell.cc: words and lines for a POSIX shell.
#include <algorithm>
#include <cctype>
#include <ranges>
#include <string_view>

#include <fmt/format.h>

#include "explain/remedy.h"

namespace pivotcheck::explain {
namespace {

// The Unicode Standard, table 3-7: which bytes may follow each other.
bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
    if (size == 0 || size > text.size()) return false;
    const unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    const auto second = static_cast<unsigned char>(size > 1 ? text[1] : lowest);
    if (second < lowest || second > highest) return false;
    for (const char c : text.substr(1, size - 1)) {
      if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

// "$(printf '\351t\351')"
std::string printf_word(const std::string& word) {
  std::string text;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    text += std::isalnum(byte) != 0 || c == '/' ? std::string(1, c) : fmt::format("\\{:03o}", byte);
  }
  return "\"$(printf '" + text + "')\"";
}

// Enters the process's root and current directory, or the root of its mount namespace.
std::string nsenter(const ProcessView& process, bool at_namespace_root) {
  std::string text = fmt::format("nsenter --target {} ", process.pid);
  if (!process.callers_user_namespace) text += "--user ";
  if (!process.callers_user_namespace && process.keeps_ids) text += "--preserve-credentials ";
  if (!process.callers_mount_namespace || at_namespace_root) text += "--mount ";
  return at_namespace_root ? text : text + "--root --wd ";
}

}  // namespace

std::string shell_word(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("/._-+=:,@%").contains(c);
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return word;
  const bool odd = !is_utf8(word) || std::ranges::any_of(word, [](char c) {
    return std::iscntrl(static_cast<unsigned char>(c)) != 0;
  });
  if (odd && !word.ends_with('\n'))
    return printf_word(word);  // $(...) drops line breaks at the end
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

std::string shell_path(const std::string& path) {
  return shell_word(path.starts_with('-') ? "./" + path : path);
}

std::vector<std::string> shell_lines(const Remedies& remedies, const ProcessView& process) {
  struct Line {
    std::string text;
    bool at_namespace_root = false;
  };
  static const std::string to_own_root = "nsenter --mount=/proc/self/ns/mnt ";
  std::string put_old = process.put_old.asked;
  bool makes_call = false;
  for (const Remedy& remedy : remedies) {
    if (!remedy.new_put_old.empty()) put_old = remedy.new_put_old;
    makes_call = makes_call || remedy.changes_process || !remedy.new_put_old.empty();
  }
  std::vector<Line> lines;  // from the innermost script outwards
  if (makes_call) {
    lines.push_back(
        {fmt::format("pivot_root {} {}", shell_path(process.new_root.asked), shell_path(put_old))});
  }
  for (const Remedy& remedy : remedies | std::views::reverse) {
    if (!remedy.changes_process) {
      if (remedy.text.empty()) continue;
      lines.insert(lines.begin(), {remedy.text, remedy.at_namespace_root});
      continue;
    }
    std::string inside = remedy.inside_first;
    for (const Line& line : lines) {
      inside +=
          (inside.empty() ? "" : " && ") + (line.at_namespace_root ? to_own_root : "") + line.text;
    }
    lines = {{remedy.text + " " + shell_word(inside)}};
  }
  std::vector<std::string> result;
  for (const Line& line : lines) {
    const std::string own = line.at_namespace_root ? to_own_root : "";
    result.push_back((process.pid == 0 ? own : nsenter(process, line.at_namespace_root)) +
                     line.text);
  }
  return result;
}

}  // namespace pivotcheck::explain

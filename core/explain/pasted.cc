// SPDX-License-Identifier: Apache-2.0
// pasted.cc: see pasted.h.
#include "explain/pasted.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "observe/mountinfo.h"

namespace pivotcheck::explain {
namespace {

constexpr std::size_t pieces_max = 6;   // of one wrapped line: each doubles the readings
constexpr std::size_t narrow_max = 40;  // shorter lines are not wrapped by a terminal

// --- characters

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

// One physical line, with plain blanks and dashes, and none of them at its ends.
std::string plain(std::string_view line) {
  std::string text(line);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> odd{{
      {"\xef\xbb\xbf", ""},   // byte order mark
      {"\xc2\xa0", " "},      // no-break space
      {"\xe2\x80\x93", "-"},  // en dash
      {"\xe2\x80\x94", "-"},  // em dash
      {"\t", " "},
      {"\r", ""},
  }};
  for (const auto& [what, by] : odd) replace_all(text, what, by);
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string without_quote(std::string text) {
  while (text.starts_with('>')) text = plain(std::string_view(text).substr(1));
  return text;
}

std::string with_single_blanks(std::string text) {
  const auto both_blank = [](char one, char other) { return one == ' ' && other == ' '; };
  text.erase(std::ranges::unique(text, both_blank).begin(), text.end());
  return text;
}

// --- a line of mountinfo

// "22 1 8:1 " at the beginning.
bool begins_a_mount(std::string_view text) {
  const auto number_before = [&](char end) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const bool found = digits > 0 && digits < text.size() && text[digits] == end;
    text.remove_prefix(found ? digits + 1 : 0);
    if (end == ' ') text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return found;
  };
  return number_before(' ') && number_before(' ') && number_before(':') && number_before(' ');
}

// Where the mount begins, after what a log or a prompt writes before it; npos: there is none.
std::size_t begin_of_mount(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_word = at == 0 || std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0;
    if (is_word && begins_a_mount(text.substr(at))) return at;
  }
  return std::string_view::npos;
}

std::expected<MountView, std::string> parse_line(const std::string& text) {
  auto parsed = parse_mountinfo(text + "\n");
  if (!parsed) return std::unexpected(std::string(parsed.error().reason));
  return std::move(parsed->front());
}

// Every flag and optional field is one that a kernel prints: a line that was joined in the wrong
// place has others.
bool has_known_words(std::string_view text) {
  constexpr std::array<std::string_view, 10> flags{
      "rw",      "ro",         "nosuid",   "nodev",       "noexec",
      "noatime", "nodiratime", "relatime", "nosymfollow", "idmapped"};
  constexpr std::array<std::string_view, 4> fields{
      "shared:", "master:", "propagate_from:", "unbindable"};
  const auto next = [&](char end) {
    const std::size_t size = std::min(text.find(end), text.size());
    const std::string_view word = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    return word;
  };
  for (int skipped = 0; skipped < 5; ++skipped) next(' ');
  std::string_view options = next(' ');
  while (!options.empty()) {
    const std::size_t size = std::min(options.find(','), options.size());
    if (std::ranges::count(flags, options.substr(0, size)) == 0) return false;
    options.remove_prefix(std::min(size + 1, options.size()));
  }
  for (std::string_view word = next(' '); word != "-"; word = next(' ')) {
    const auto is_field = [&](std::string_view field) { return word.starts_with(field); };
    if (word.empty() || std::ranges::none_of(fields, is_field)) return false;
  }
  return true;
}

// --- other lines

// A fence, a heading, a tag, a prompt with or without its command.
bool is_around(std::string_view text) {
  if (text.empty() || text.starts_with("```") || text.starts_with("~~~")) return true;
  if (text.starts_with('<') && text.ends_with('>')) return true;
  if (text.starts_with("$ ") || text.starts_with("# ")) return true;
  return text.ends_with('$') || text.ends_with('#') || text.contains("mountinfo");
}

// What else prints mounts, and what that lacks; "" for something unknown.
std::string other_output(std::string_view text) {
  const auto lacks = [](std::string_view what, std::string_view missing) {
    return std::string(what) + " prints this: it lacks " + std::string(missing) +
           "; what is wanted is /proc/PID/mountinfo (cat /proc/self/mountinfo)";
  };
  const bool has_tree = text.starts_with("\xe2\x94\x9c") || text.starts_with("\xe2\x94\x94") ||
                        text.starts_with("|-") || text.starts_with("`-");
  if (has_tree || (text.starts_with("TARGET") && text.contains("SOURCE"))) {
    return lacks("findmnt", "the numbers of mounts, parents and peer groups");
  }
  if (text.contains(" on /") && text.contains(" type ") && text.ends_with(')')) {
    return lacks("mount",
                 "the numbers of mounts and parents, the directories shown, and the peer "
                 "groups");
  }
  if (std::ranges::count(text, ' ') == 5 && text.contains(" /") && text.contains(" r") &&
      std::isdigit(static_cast<unsigned char>(text.back())) != 0) {
    return lacks("/proc/mounts",
                 "the numbers of mounts and parents, the directories shown, and the "
                 "peer groups");
  }
  return "";
}

// --- the text

class Finder {
 public:
  // "" if the line is in order.
  std::string add(std::size_t number, const std::string& text) {
    const std::size_t begin = begin_of_mount(text);
    if (begin != std::string::npos) {
      if (std::string what = end_wrapped(); !what.empty()) return what;
      return add_mount(number, text.substr(begin));
    }
    const std::string rest = without_quote(text);
    if (!wrapped_.empty() && !rest.empty()) return join(rest);
    if (is_around(rest) || continues_options(rest)) return "";
    const std::string other = other_output(rest);
    const std::string reason = other.empty() ? parse_line(rest).error() : other;
    return wrong(number, reason);
  }

  // A wrapped line whose end did not come; "" if there is none.
  std::string end_wrapped() const { return wrapped_.empty() ? "" : wrong(number_, why_); }

  std::vector<PastedLine> lines;

 private:
  static std::string wrong(std::size_t number, const std::string& what) {
    return "line " + std::to_string(number) + ": " + what;
  }

  std::string add_mount(std::size_t number, std::string text) {
    number_ = number;
    width_ = text.size();
    auto mount = parse_line(text);
    if (!mount && text.contains("  ")) {
      text = with_single_blanks(std::move(text));
      mount = parse_line(text);
    }
    if (mount) {
      lines.push_back({number, std::move(text), std::move(*mount)});
      return "";
    }
    why_ = mount.error();
    wrapped_ = {std::move(text)};
    pieces_ = 1;
    return "";
  }

  // All readings so far, each with the piece after a blank and without one. Two that are whole and
  // differ are an error; whole ones end the line.
  std::string join(const std::string& piece) {
    std::vector<std::string> readings;
    std::optional<PastedLine> whole;
    for (const std::string& before : wrapped_) {
      for (const std::string_view between : {"", " "}) {
        const std::string& reading = readings.emplace_back(before + std::string(between) + piece);
        auto mount = parse_line(reading);
        if (!mount || !has_known_words(reading)) continue;
        if (whole && whole->mount != *mount) return wrong(number_, "it can be joined in two ways");
        whole = {number_, reading, std::move(*mount)};
      }
    }
    wrapped_ = whole ? std::vector<std::string>{} : std::move(readings);
    if (whole) lines.push_back(std::move(*whole));
    return ++pieces_ > pieces_max ? end_wrapped() : "";
  }

  // The rest of a filesystem's options, of which only the first, ro or rw, matters.
  bool continues_options(const std::string& text) const {
    if (lines.empty() || text.contains(' ')) return false;
    return lines.back().text.ends_with(',') || text.contains('=') || text.starts_with(',') ||
           (width_ > narrow_max && text.size() < width_ && text.contains(','));
  }

  std::vector<std::string> wrapped_;  // all readings of the line that is not whole yet
  std::size_t number_ = 0;            // of its beginning
  std::size_t pieces_ = 0;
  std::size_t width_ = 0;
  std::string why_;  // its first piece is no line
};

}  // namespace

std::expected<std::vector<PastedLine>, std::string> find_mountinfo(std::string_view text) {
  Finder finder;
  std::string wrong;
  for (std::size_t number = 1; !text.empty() && wrong.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    wrong = finder.add(number, plain(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (wrong.empty()) wrong = finder.end_wrapped();
  if (!wrong.empty()) return std::unexpected(wrong);
  return std::move(finder.lines);
}

}  // namespace pivotcheck::explain

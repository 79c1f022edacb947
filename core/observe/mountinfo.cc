// SPDX-License-Identifier: Apache-2.0
// mountinfo.cc: see mountinfo.h. The text may come from the kernel, from a bug report or from a
// fuzzer: no number in it is trusted.
//
// Source: proc_pid_mountinfo(5); Documentation/filesystems/proc.rst, section 3.5.
#include "observe/mountinfo.h"

#include <charconv>
#include <cstdint>

namespace pivotcheck {
namespace {

// The whole of `text` as a number.
template <class Number>
bool read_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stop == end;
}

bool read_device(std::string_view text, std::uint64_t& filesystem) {
  const std::size_t colon = text.find(':');
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  if (colon == std::string_view::npos || !read_number(text.substr(0, colon), major) ||
      !read_number(text.substr(colon + 1), minor)) {
    return false;
  }
  filesystem = filesystem_number(major, minor);
  return true;
}

// "\040" is one byte; the kernel escapes every backslash, so one without three octal digits is
// wrong. Not every path begins with a slash: nsfs shows "net:[4026531840]" as its directory.
bool read_path(std::string_view text, std::string& path) {
  path.clear();
  path.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      path += text[i];
      continue;
    }
    if (text.size() - i < 4) return false;
    unsigned byte = 0;
    for (std::size_t digit = i + 1; digit < i + 4; ++digit) {
      if (text[digit] < '0' || text[digit] > '7') return false;
      byte = byte * 8 + static_cast<unsigned>(text[digit] - '0');
    }
    if (byte == 0 || byte > 0xff) return false;  // no path has a zero byte
    path += static_cast<char>(byte);
    i += 3;
  }
  return !path.empty();
}

// "rw,nosuid,relatime": ro or rw comes first; flags that op.h has no name for are skipped. The kernel
// has no word for strictatime: it is said by neither noatime nor relatime.
bool read_options(std::string_view text, MountFlags& flags) {
  bool first = true;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    if (first && word != "ro" && word != "rw") return false;
    if (const auto flag = flag_named<MountFlag>(word)) flags.set(*flag);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    first = false;
  }
  const bool is_strict = !flags.has(MountFlag::noatime) && !flags.has(MountFlag::relatime);
  flags.set(MountFlag::strictatime, is_strict);
  flags.set(MountFlag::relatime, false);
  return true;
}

bool read_optional_field(std::string_view word, MountView& mount) {
  const auto group = [word](std::string_view key, std::uint64_t& number) {
    if (!word.starts_with(key)) return true;
    return read_number(word.substr(key.size()), number) && number != 0;
  };
  if (word == "unbindable") mount.unbindable = true;
  return group("shared:", mount.peer_group) && group("master:", mount.master_group) &&
         group("propagate_from:", mount.receives_from);
}

// What is wrong with the line; "" for nothing.
std::string_view read_line(std::string_view text, MountView& mount) {
  bool ended = false;
  // Exactly one blank separates two words; a word may be empty (a source of "").
  const auto next = [&] {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    ended = end == std::string_view::npos;
    text.remove_prefix(ended ? text.size() : end + 1);
    return word;
  };
  if (!read_number(next(), mount.id) || mount.id == 0) return "the mount id is no number";
  if (!read_number(next(), mount.parent)) return "the parent's id is no number";
  if (!read_device(next(), mount.filesystem)) return "the filesystem is not MAJOR:MINOR";
  if (!read_path(next(), mount.root)) return "the directory shown is no path";
  mount.root_removed = take_removed_suffix(mount.root);
  if (mount.root.empty()) return "the directory shown is no path";
  if (!read_path(next(), mount.mount_point) || !mount.mount_point.starts_with('/')) {
    return "the mount point is no path";
  }
  if (!read_options(next(), mount.flags)) return "the mount's flags don't begin with ro or rw";
  while (true) {
    if (ended) return "the line ends before the '-'";
    const std::string_view word = next();
    if (word == "-") break;
    if (!read_optional_field(word, mount)) return "a peer group is no number";
  }
  if (mount.receives_from == mount.master_group) mount.receives_from = 0;
  if (next().empty()) return "the filesystem's type is missing";
  next();  // the source
  if (ended) return "the filesystem's options are missing";
  // A filesystem's own options may contain anything: only ro or rw is read.
  const std::string_view options = next();
  const std::string_view access = options.substr(0, options.find(','));
  if (access != "ro" && access != "rw") return "the filesystem's options don't begin with ro or rw";
  mount.filesystem_read_only = access == "ro";
  return "";
}

}  // namespace

bool take_removed_suffix(std::string& root) {
  static constexpr std::string_view suffix = "//deleted";
  if (!root.ends_with(suffix)) return false;
  root.resize(root.size() - suffix.size());
  return true;
}

std::expected<std::vector<MountView>, MountinfoError> parse_mountinfo(std::string_view text) {
  std::vector<MountView> mounts;
  mounts.reserve(text.size() / 64 + 1);  // a line of a tmpfs has about 70 bytes
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return std::unexpected(MountinfoError{mounts.size() + 1, "the last line has no end"});
    }
    const std::string_view reason = read_line(text.substr(0, end), mounts.emplace_back());
    if (!reason.empty()) return std::unexpected(MountinfoError{mounts.size(), reason});
    text.remove_prefix(end + 1);
  }
  return mounts;
}

}  // namespace pivotcheck

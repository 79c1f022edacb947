// SPDX-License-Identifier: Apache-2.0
// draw.cc: a drawing has two kinds of lines, mounts and tasks:
//
//     namespace 1: A, B
//     /                #1  fs-1:/
//     |-- /new         #2  fs-2:/            ro,nosuid  shared 1
//     |   `-- /new/x   #3  fs-1:/a (removed)  slave of 1, receives from 2  fs-ro
//     `-- /z           #4  fs-3:/
//     A  root #1 /  cwd #2 /new
//        @h detached #1 /sub (removed)
//
// From left to right: mount point, number, filesystem and the directory of it that the mount shows,
// flags, propagation (nothing for private), `fs-ro` for a read-only filesystem. Columns are aligned
// up to a width, so that one long path does not widen all lines.
//
// In a difference the second drawing has the numbers of the first for the same mounts, groups and
// filesystems (view/mount_names.h). Otherwise one mount more would change every later line.
#include "view/draw.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "view/mount_names.h"

namespace pivotcheck {
namespace {

constexpr std::size_t path_width_max = 32;   // wider paths stick out
constexpr std::size_t shown_width_max = 24;  // "fs-2:/directory"

struct Line {
  std::string tree;    // "|   `-- /new/x"
  std::string number;  // "#3"
  std::string shown;   // "fs-1:/a (removed)"
  std::string rest;    // "ro,nosuid  shared 1"
  bool whole = false;  // `tree` is all of it: a heading or a task
};

std::string_view if_removed(bool removed) { return removed ? " (removed)" : ""; }

Line whole_line(std::string text) {
  return {.tree = std::move(text), .number{}, .shown{}, .rest{}, .whole = true};
}

std::string location_words(const LocationView& at) {
  return fmt::format("{}#{} {}{}", at.detached ? "detached " : "", at.mount,
                     quoted_if_needed(at.path), if_removed(at.removed));
}

Line mount_line(const MountView& mount, const std::string& tree) {
  Line line;
  line.tree = tree + quoted_if_needed(mount.mount_point);
  line.number = fmt::format("#{}", mount.id);
  line.shown = fmt::format("fs-{}:{}{}", mount.filesystem, quoted_if_needed(mount.root),
                           if_removed(mount.root_removed));
  const auto add = [&line](std::string_view words) {
    if (words.empty()) return;
    if (!line.rest.empty()) line.rest += "  ";
    line.rest += words;
  };
  add(to_string(mount.flags));
  add(propagation_words(mount));
  if (mount.filesystem_read_only) add("fs-ro");
  return line;
}

// The mounts come depth first, so a stack with the number of children still to come is enough.
void draw_mounts(const NamespaceView& view, std::vector<Line>& lines) {
  std::map<MountId, std::size_t> children;
  for (const MountView& mount : view.mounts) ++children[mount.parent];
  struct Level {
    MountId mount;
    std::size_t to_come;
  };
  std::vector<Level> levels;
  for (const MountView& mount : view.mounts) {
    while (!levels.empty() && levels.back().mount != mount.parent) levels.pop_back();
    std::string tree;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const bool last_level = i + 1 == levels.size();
      if (last_level) --levels[i].to_come;
      const bool more = levels[i].to_come > 0;
      tree += last_level ? (more ? "|-- " : "`-- ") : (more ? "|   " : "    ");
    }
    lines.push_back(mount_line(mount, tree));
    levels.push_back({mount.id, children[mount.id]});
  }
}

void draw_task(const TaskView& task, std::vector<Line>& lines) {
  lines.push_back(
      whole_line(fmt::format("{}  root {}  cwd {}", task.name, location_words(task.root),
                             location_words(task.current_directory))));
  for (const HandleView& handle : task.handles) {
    lines.push_back(whole_line(fmt::format("{:{}}@{} {}", "", task.name.size() + 2, handle.name,
                                           location_words(handle.location))));
  }
}

std::vector<Line> lines_of(const Snapshot& snapshot) {
  std::vector<Line> lines;
  for (std::uint32_t i = 0; i < snapshot.namespaces.size(); ++i) {
    std::string heading = fmt::format("namespace {}:", i + 1);
    std::string_view separator = " ";
    for (const TaskView& task : snapshot.tasks) {
      if (task.mount_namespace != i) continue;
      heading.append(separator).append(task.name);
      separator = ", ";
    }
    lines.push_back(whole_line(std::move(heading)));
    if (snapshot.namespaces[i].mounts.empty()) lines.push_back(whole_line("(no mounts)"));
    draw_mounts(snapshot.namespaces[i], lines);
    for (const TaskView& task : snapshot.tasks) {
      if (task.mount_namespace == i) draw_task(task, lines);
    }
  }
  return lines;
}

struct Widths {
  std::size_t tree = 0;
  std::size_t number = 0;
  std::size_t shown = 0;

  void fit(const std::vector<Line>& lines) {
    for (const Line& line : lines) {
      if (line.whole) continue;
      tree = std::max(tree, std::min(line.tree.size(), path_width_max));
      number = std::max(number, line.number.size());
      if (!line.rest.empty()) shown = std::max(shown, std::min(line.shown.size(), shown_width_max));
    }
  }
};

std::vector<std::string> render(const std::vector<Line>& lines, const Widths& widths) {
  std::vector<std::string> result;
  result.reserve(lines.size());
  for (const Line& line : lines) {
    std::string text = line.tree;
    if (!line.whole) {
      text = fmt::format("{:<{}}  {:<{}}  ", line.tree, widths.tree, line.number, widths.number);
      text += line.rest.empty() ? line.shown
                                : fmt::format("{:<{}}  {}", line.shown, widths.shown, line.rest);
    }
    result.push_back(std::move(text));
  }
  return result;
}

// The longest common subsequence, by the table of its lengths from the ends.
void append_diff(std::string& out, std::span<const std::string> first,
                 std::span<const std::string> second) {
  const std::size_t width = second.size() + 1;
  std::vector<std::uint32_t> common((first.size() + 1) * width, 0);
  for (std::size_t i = first.size(); i-- > 0;) {
    for (std::size_t j = second.size(); j-- > 0;) {
      common[i * width + j] = first[i] == second[j]
                                  ? common[(i + 1) * width + j + 1] + 1
                                  : std::max(common[(i + 1) * width + j],
                                             common[i * width + j + 1]);
    }
  }
  const auto add = [&out](std::string_view mark, const std::string& line) {
    out.append(mark).append(line).append("\n");
  };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < first.size() || j < second.size()) {
    if (i < first.size() && j < second.size() && first[i] == second[j]) {
      add("  ", first[i++]);
      ++j;
    } else if (j == second.size() ||
               (i < first.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      add("- ", first[i++]);
    } else {
      add("+ ", second[j++]);
    }
  }
}

}  // namespace

std::vector<std::string> draw(const Snapshot& canonical_snapshot) {
  const std::vector<Line> lines = lines_of(canonical_snapshot);
  Widths widths;
  widths.fit(lines);
  return render(lines, widths);
}

std::string draw_difference(const Snapshot& first, std::string_view first_name,
                            const Snapshot& second, std::string_view second_name) {
  const std::vector<Line> first_lines = lines_of(first);
  const std::vector<Line> second_lines = lines_of(numbered_like(first, second));
  Widths widths;
  widths.fit(first_lines);
  widths.fit(second_lines);
  const std::vector<std::string> left = render(first_lines, widths);
  const std::vector<std::string> right = render(second_lines, widths);
  std::string out = "- ";
  out.append(first_name).append("\n+ ").append(second_name).append("\n");
  // The table of append_diff grows with the square of the lines, so equal lines at both ends are
  // left out.
  std::size_t head = 0;
  const std::size_t shorter = std::min(left.size(), right.size());
  while (head < shorter && left[head] == right[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && left[left.size() - 1 - tail] == right[right.size() - 1 - tail]) {
    ++tail;
  }
  for (std::size_t i = 0; i < head; ++i) out.append("  ").append(left[i]).append("\n");
  append_diff(out, std::span(left).subspan(head, left.size() - head - tail),
              std::span(right).subspan(head, right.size() - head - tail));
  for (std::size_t i = left.size() - tail; i < left.size(); ++i) {
    out.append("  ").append(left[i]).append("\n");
  }
  return out;
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// picture.cc: text with coordinates. All names in it are quoted, because paths may have any bytes.
#include "view/picture.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "op/quote.h"
#include "view/mount_names.h"

namespace pivotcheck {
namespace {

std::string label_of(const MountView& mount) {
  std::string text =
      fmt::format("{}  #{}  fs-{}:{}{}", quoted_if_needed(mount.mount_point), mount.id,
                  mount.filesystem, quoted_if_needed(mount.root),
                  mount.root_removed ? " (removed)" : "");
  for (const std::string& words : {to_string(mount.flags), propagation_words(mount)}) {
    if (!words.empty()) text += "  " + words;
  }
  return text + (mount.filesystem_read_only ? "  fs-ro" : "");
}

std::string label_of(const LocationView& at) {
  return fmt::format("{}{}{}", at.detached ? "detached " : "", quoted_if_needed(at.path),
                     at.removed ? " (removed)" : "");
}

// --- Graphviz

std::string dot_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

// What a task has: its root, its current directory, its handles. A detached mount is a node too.
std::string dot_location(const std::string& task, std::string_view what, const LocationView& at,
                         std::uint32_t name_space) {
  const std::string node = at.detached ? fmt::format("detached #{}", at.mount)
                                       : fmt::format("{}/{}", name_space, at.mount);
  return fmt::format("  {} -> {} [style=dashed, label={}];\n", dot_quoted("task " + task),
                     dot_quoted(node), dot_quoted(fmt::format("{} {}", what, label_of(at))));
}

std::string dot_task(const TaskView& task) {
  std::string text = fmt::format("  {} [label={}];\n", dot_quoted("task " + task.name),
                                 dot_quoted(task.name));
  text += dot_location(task.name, "root", task.root, task.mount_namespace);
  text += dot_location(task.name, "cwd", task.current_directory, task.mount_namespace);
  for (const HandleView& handle : task.handles) {
    text += dot_location(task.name, "@" + handle.name, handle.location, task.mount_namespace);
  }
  return text;
}

// --- SVG

constexpr int row_height = 30;
constexpr int indent_width = 28;
constexpr int box_height = 22;
constexpr int margin = 12;
constexpr int character_width = 8;  // of the 13-pixel font, and some room

std::string xml_quoted(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

class Picture {
 public:
  // A line of text, in a box unless it is a heading; below `parent_row` if that is not negative.
  int add(int depth, std::string_view shape, const std::string& text, int parent_row = -1) {
    const int x = margin + depth * indent_width;
    const int y = margin + rows_ * row_height;
    const int text_width = static_cast<int>(text.size()) * character_width + margin;
    if (parent_row >= 0) {
      body_ += fmt::format("<path class=\"line\" d=\"M{} {}V{}H{}\"/>\n", x - indent_width / 2,
                           margin + parent_row * row_height + box_height, y + box_height / 2, x);
    }
    if (!shape.empty()) {
      body_ += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
                           shape, x, y, text_width, box_height);
    }
    body_ += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", x + 6, y + 15, xml_quoted(text));
    width_ = std::max(width_, x + text_width + margin);
    return rows_++;
  }

  [[nodiscard]] std::string text() const {
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\">\n"
               "<style>text {{ font: 13px monospace; white-space: pre }} .line {{ fill: none }}\n"
               ".mount {{ fill: #eef4ff }} .task {{ fill: #fff4dd; rx: 10px }}\n"
               ".mount, .task, .line {{ stroke: #456 }}</style>\n"
               "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
               width_, rows_ * row_height + 2 * margin) +
           body_ + "</svg>\n";
  }

 private:
  std::string body_;
  int rows_ = 0;
  int width_ = 2 * margin;
};

void add_task(Picture& picture, const TaskView& task) {
  const auto words = [](const LocationView& at) {
    return fmt::format("#{} {}", at.mount, label_of(at));
  };
  std::string text = fmt::format("{}  root {}  cwd {}", task.name, words(task.root),
                                 words(task.current_directory));
  for (const HandleView& handle : task.handles) {
    text += fmt::format("  @{} {}", handle.name, words(handle.location));
  }
  picture.add(0, "task", text);
}

}  // namespace

std::string draw_dot(const Snapshot& snapshot) {
  std::string text = "digraph mounts {\n  node [fontname=monospace];\n";
  for (std::size_t i = 0; i < snapshot.namespaces.size(); ++i) {
    text += fmt::format("  subgraph cluster_{} {{\n  label=\"namespace {}\";\n", i, i + 1);
    const auto node = [i](MountId id) { return dot_quoted(fmt::format("{}/{}", i, id)); };
    for (const MountView& mount : snapshot.namespaces[i].mounts) {
      text += fmt::format("  {} [shape=box, label={}];\n", node(mount.id),
                          dot_quoted(label_of(mount)));
      if (mount.parent != 0) {
        text += fmt::format("  {} -> {};\n", node(mount.parent), node(mount.id));
      }
    }
    text += "  }\n";
  }
  for (const TaskView& task : snapshot.tasks) text += dot_task(task);
  return text + "}\n";
}

std::string draw_svg(const Snapshot& snapshot) {
  Picture picture;
  for (std::uint32_t i = 0; i < snapshot.namespaces.size(); ++i) {
    picture.add(0, "", fmt::format("namespace {}", i + 1));
    struct Place {
      int row;
      int depth;
    };
    std::map<MountId, Place> places;  // a parent comes before its children
    for (const MountView& mount : snapshot.namespaces[i].mounts) {
      const auto parent = places.find(mount.parent);
      const bool has_parent = parent != places.end();
      const int depth = has_parent ? parent->second.depth + 1 : 0;
      const int row =
          picture.add(depth, "mount", label_of(mount), has_parent ? parent->second.row : -1);
      places[mount.id] = {row, depth};
    }
    for (const TaskView& task : snapshot.tasks) {
      if (task.mount_namespace == i) add_task(picture, task);
    }
  }
  return picture.text();
}

}  // namespace pivotcheck

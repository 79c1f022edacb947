// SPDX-License-Identifier: Apache-2.0
// process_view.cc: see process_view.h.
#include "explain/process_view.h"

#include <algorithm>
#include <map>
#include <set>

namespace pivotcheck::explain {

const SeenMount* find_mount(const std::vector<SeenMount>& mounts, MountId id) {
  const auto found =
      std::ranges::find(mounts, id, [](const SeenMount& seen) { return seen.mount.id; });
  return found == mounts.end() ? nullptr : &*found;
}

const SeenMount* ProcessView::find(MountId id) const {
  const SeenMount* here = find_mount(mounts, id);
  return here != nullptr ? here : find_mount(elsewhere, id);
}

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

std::unexpected<std::string> wrong(std::size_t line, const std::string& what) {
  return std::unexpected("line " + std::to_string(line) + ": " + what);
}

// No number may occur twice, and the parents may form no circle: no kernel prints that.
std::expected<void, std::string> check_tree(const std::vector<SeenMount>& mounts,
                                            const std::vector<std::size_t>& lines) {
  std::map<MountId, MountId> parents;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const MountView& mount = mounts[i].mount;
    if (parents.emplace(mount.id, mount.parent).second) continue;
    return wrong(lines[i], "mount " + std::to_string(mount.id) + " is there twice");
  }
  std::set<MountId> good;  // a walk up from there ends
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    std::set<MountId> walk;
    for (MountId at = mounts[i].mount.id; !good.contains(at);) {
      if (!walk.insert(at).second) {
        return wrong(lines[i], "mount " + std::to_string(at) + " is mounted on itself");
      }
      const auto up = parents.find(at);
      if (up == parents.end() || up->second == at) break;  // not seen; rootfs, which has none
      at = up->second;
    }
    good.merge(walk);
  }
  return {};
}

}  // namespace

std::expected<std::vector<SeenMount>, std::string> read_mounts(std::string_view text) {
  std::vector<SeenMount> mounts;
  std::vector<std::size_t> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    auto parsed = parse_mountinfo(line + "\n");
    if (!parsed) return wrong(number, std::string(parsed.error().reason));
    mounts.push_back({std::move(parsed->front()), std::move(line)});
    lines.push_back(number);
  }
  if (auto checked = check_tree(mounts, lines); !checked) {
    return std::unexpected(checked.error());
  }
  return mounts;
}

}  // namespace pivotcheck::explain

// SPDX-License-Identifier: Apache-2.0
// sight.cc: see sight.h.
#include "explain/sight.h"

#include <algorithm>

namespace pivotcheck::explain {

const SeenMount* Sight::find(MountId id) const {
  for (const auto* list : {&mounts, &elsewhere}) {
    const auto found =
        std::ranges::find(*list, id, [](const SeenMount& m) { return m.line.mount.id; });
    if (found != list->end()) return &*found;
  }
  return nullptr;
}

std::expected<std::vector<SeenMount>, std::string> read_mounts(std::string_view text) {
  std::string whole(text);
  if (!whole.empty() && whole.back() != '\n') whole += '\n';  // pasted into a report
  auto lines = parse_mountinfo(whole);
  if (!lines) {
    return std::unexpected("line " + std::to_string(lines.error().line) + ": " +
                           std::string(lines.error().reason));
  }
  std::vector<SeenMount> mounts;
  mounts.reserve(lines->size());
  std::size_t begin = 0;
  for (MountinfoLine& line : *lines) {
    const std::size_t end = whole.find('\n', begin);
    mounts.push_back({std::move(line), whole.substr(begin, end - begin)});
    begin = end + 1;
  }
  return mounts;
}

}  // namespace pivotcheck::explain

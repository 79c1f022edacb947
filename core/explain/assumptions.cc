// SPDX-License-Identifier: Apache-2.0
// assumptions.cc: what is not known of a process, and all combinations of answers to that.
#include "explain/hypothesis.h"

namespace pivotcheck::explain {

std::vector<OpenQuestion> open_questions(const ProcessView& process) {
  std::vector<OpenQuestion> result;
  const auto open = [&](bool Assumption::*member, std::string text) {
    result.push_back({member, std::move(text)});
  };
  // Whether the parent of a mount is shared: the parent is not seen, nor known to be rootfs.
  const auto parent_is_open = [&](const SeenMount& seen) {
    return !process.all_is_seen && !seen.is_rootfs() && seen.mount.parent != first_rootfs &&
           !process.find(seen.mount.parent);
  };
  if (!process.machine_owns && !process.new_root.locked) {
    open(&Assumption::locked,
         "whether new_root's mount is locked: the mount namespace belongs to a user namespace "
         "other than the machine's first one, and no file shows the locks");
  } else if (!process.offline && !process.new_root.locked && process.new_root.mount != 0) {
    open(&Assumption::locked,
         "whether new_root's mount is locked: the mount namespace may be a copy of one that "
         "belongs to another user namespace, and no file shows the locks");
  }
  const SeenMount* line = process.own_root();
  const SeenMount* root = line != nullptr ? line : process.find(process.root.mount);
  const bool root_hidden = root == nullptr;
  if (root_hidden ? !process.all_is_seen : !process.offline && parent_is_open(*root)) {
    open(&Assumption::root_parent_shared,
         "whether the mount on which the mount of the process's root is mounted is shared: it is "
         "outside of that root");
  }
  const auto hidden = [&](const ResolvedPath& path) {
    return !process.offline && path.mount != 0 && path.mount != process.root.mount &&
           !path.is_detached_tree && !process.find(path.mount);
  };
  const auto hidden_or_on_hidden = [&](const ResolvedPath& path) {
    const SeenMount* seen = process.offline ? nullptr : process.find(path.mount);
    return hidden(path) || (seen != nullptr && seen != root && parent_is_open(*seen));
  };
  if (root_hidden || hidden_or_on_hidden(process.new_root) ||
      hidden_or_on_hidden(process.put_old)) {
    open(&Assumption::hidden_shared, "whether a mount outside of the process's root is shared");
  }
  const auto may_be_foreign = [&](bool Assumption::*member, const std::string& whose) {
    if (process.all_is_seen) return;
    open(member, "whether " + whose + " is in this mount namespace at all");
  };
  if (root_hidden && process.mounts.empty() && !process.offline) {
    may_be_foreign(&Assumption::root_foreign, "the mount of the process's root");
    open(&Assumption::root_detached, "whether the mount of the process's root has been detached");
  }
  if (hidden(process.new_root)) {
    may_be_foreign(&Assumption::new_root_foreign, "new_root's mount");
  }
  if (hidden(process.put_old)) {
    may_be_foreign(&Assumption::put_old_foreign, "put_old's mount");
    open(&Assumption::put_old_detached, "whether put_old's mount has been detached");
  }
  return result;
}

std::vector<Assumption> assumptions(const std::vector<OpenQuestion>& questions) {
  std::vector<Assumption> result(std::size_t{1} << questions.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (std::size_t bit = 0; bit < questions.size(); ++bit) {
      result[i].*(questions[bit].member) = (i >> bit & 1U) != 0;
    }
  }
  return result;
}

}  // namespace pivotcheck::explain

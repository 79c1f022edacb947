// SPDX-License-Identifier: Apache-2.0
// offline.cc: the ProcessView of a mountinfo text.
#include "explain/process_view.h"

namespace pivotcheck::explain {

namespace {

// A note on what / is mounted on. The text of a process in a chroot does not show it. Otherwise it
// is the kernel's own rootfs, which is never shared, and has the number 1 on the machine itself.
std::string note_on_root_parent(const ProcessView& process) {
  for (const SeenMount& seen : process.mounts) {
    const MountView& mount = seen.mount;
    if (mount.mount_point != "/" || process.find(mount.parent) != nullptr) continue;
    if (mount.parent <= 1) return "";
    return "mount " + std::to_string(mount.parent) +
           ", on which / is mounted, is not in the text: it is assumed not to be shared, but it "
           "may be if the text is from a chroot";
  }
  return "";
}

}  // namespace

std::expected<ProcessView, std::string> view_mountinfo(std::string_view mountinfo,
                                                       const OfflineQuestion& query) {
  auto mounts = read_mounts(mountinfo);
  if (!mounts) return std::unexpected(mounts.error());
  if (mounts->empty()) return std::unexpected("it has no line");
  ProcessView process;
  process.mounts = std::move(*mounts);
  process.offline = true;
  process.root.asked = query.root;
  process.current_directory.asked = query.current_directory;
  process.new_root.asked = query.new_root;
  process.put_old.asked = query.put_old;
  process.capabilities = query.capabilities;
  process.owns_namespace = process.machine_owns = true;
  process.may_mount = query.capabilities.has(Capability::sys_admin);
  process.traits = query.traits;
  process.notes = {
      "the text is assumed to show the whole mount namespace, and the machine's first user "
      "namespace to own it (then no mount is locked)",
      "every named directory is assumed to exist, and no name to be a symbolic link"};
  if (const std::string note = note_on_root_parent(process); !note.empty())
    process.notes.push_back(note);
  if (process.may_mount)
    process.notes.emplace_back("the process is assumed to have all capabilities");
  return process;
}

}  // namespace pivotcheck::explain

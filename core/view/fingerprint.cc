// SPDX-License-Identifier: Apache-2.0
// fingerprint.cc: FNV-1a of 64 bits over all fields (Fowler, Noll, Vo). Each struct is taken apart
// by a structured binding, so that a new field does not compile until it is here, too.
#include "view/fingerprint.h"

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

namespace pivotcheck {
namespace {

class Hasher {
 public:
  void add(std::uint64_t number) {
    for (int byte = 0; byte < 8; ++byte) add_byte(static_cast<unsigned char>(number >> (8 * byte)));
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
  }
  void add(const MountView& mount) {
    const auto& [id, parent, mount_point, filesystem, root, root_removed, flags,
                 filesystem_read_only, peer_group, master_group, receives_from, unbindable] = mount;
    for (const std::uint64_t number :
         {id, parent, filesystem, peer_group, master_group, receives_from}) {
      add(number);
    }
    add(mount_point);
    add(root);
    add(std::uint64_t{flags.bits()});
    for (const bool is_set : {root_removed, filesystem_read_only, unbindable})
      add(std::uint64_t{is_set});
  }
  void add(const LocationView& location) {
    const auto& [mount, detached, path, removed, object] = location;
    add(mount);
    add(path);
    add(object);
    for (const bool is_set : {detached, removed}) add(std::uint64_t{is_set});
  }
  void add(const TaskView& task) {
    const auto& [name, mount_namespace, root, current_directory, handles] = task;
    add(name);
    add(mount_namespace);
    add(root);
    add(current_directory);
    add(handles.size());
    for (const auto& [handle, location] : handles) {
      add(handle);
      add(location);
    }
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) {
    value_ ^= byte;
    value_ *= 0x100000001b3;
  }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

std::string fingerprint(const Snapshot& canonical_snapshot) {
  const auto& [namespaces, tasks] = canonical_snapshot;
  Hasher hasher;
  hasher.add(namespaces.size());
  for (const auto& [mounts] : namespaces) {
    hasher.add(mounts.size());
    for (const MountView& mount : mounts) hasher.add(mount);
  }
  hasher.add(tasks.size());
  for (const TaskView& task : tasks) hasher.add(task);
  return fmt::format("{:016x}", hasher.value());
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// traces.h: looks for all that a command could leave behind on a machine:
//
//     processes     everything below this process (processes.h)
//     namespaces    those in which its processes were seen, by their file handles: a handle opens
//                   the namespace as long as anything holds it (Linux 6.18). Older kernels: by
//                   their numbers, among the links and descriptors of all processes
//     mounts        mountinfo of this process, byte for byte, and that of the machine's init
//     files         its folder for temporary files, /dev/shm, and its folder for findings, in which
//                   only whole scenarios are allowed
//
// Left out: namespaces in which no process was seen. The kernel's own counts (slabs.h) show those.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace pivotcheck::safety {

class Traces {
 public:
  // The machine as it is now. `folder` is the command's current directory.
  explicit Traces(std::string folder);

  // The namespaces of this process of the command.
  void note_namespaces(pid_t pid);

  // A line for each thing that still exists after that time; returns as soon as nothing does.
  [[nodiscard]] std::vector<std::string> left_behind(int limit_ms) const;
  // The same within gone_limit_ms; prints the lines. True if there are none.
  [[nodiscard]] bool nothing_left() const;

  [[nodiscard]] std::size_t namespaces_noted() const { return namespaces_.size(); }
  [[nodiscard]] bool has_handles() const { return has_handles_; }

 private:
  struct Namespace {
    std::string link;    // "mnt:[4026532190]"
    std::string handle;  // as name_to_handle_at gives it; "" where there is none
    auto operator<=>(const Namespace&) const = default;
  };
  [[nodiscard]] bool is_alive(const Namespace& one) const;
  [[nodiscard]] std::vector<std::string> left_behind_now() const;
  void look_for_files(std::vector<std::string>& found) const;

  std::string folder_;
  std::string mounts_;
  std::string mounts_of_init_;
  std::set<std::string> shared_memory_;
  std::set<std::string> own_;  // links of the namespaces that this process is in
  std::set<Namespace> namespaces_;
  bool has_handles_ = false;
};

}  // namespace pivotcheck::safety

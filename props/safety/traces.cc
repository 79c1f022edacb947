// SPDX-License-Identifier: Apache-2.0
// traces.cc: what is noted beforehand, and what is looked for afterwards.
#include "traces.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "processes.h"
#include "scenario/scenario.h"
#include "tests.h"

namespace pivotcheck::safety {
namespace {

namespace fs = std::filesystem;

constexpr int nsfs_root = -10003;  // FD_NSFS_ROOT in include/uapi/linux/fcntl.h, Linux 6.18
constexpr std::array kinds{"mnt", "user", "pid"};
constexpr int look_again_us = 20'000;

std::string link_of(const std::string& path) {
  std::error_code error;
  return fs::read_symlink(path, error).string();
}

union HandleBuffer {
  file_handle handle;
  std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> bytes;
};

std::string handle_of(const std::string& path) {
  HandleBuffer buffer{};
  buffer.handle.handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (::name_to_handle_at(AT_FDCWD, path.c_str(), &buffer.handle, &mount_id, AT_SYMLINK_FOLLOW) !=
      0) {
    return "";
  }
  return {buffer.bytes.data(), sizeof(file_handle) + buffer.handle.handle_bytes};
}

bool opens(const std::string& handle) {
  HandleBuffer buffer{};
  std::memcpy(buffer.bytes.data(), handle.data(), handle.size());
  const UniqueFd opened(::open_by_handle_at(nsfs_root, &buffer.handle, O_RDONLY | O_CLOEXEC));
  return static_cast<bool>(opened);
}

std::set<std::string> entries_of(const std::string& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

// A process is in it, or has a descriptor of it.
bool is_linked(const std::string& link) {
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    if (!std::isdigit(static_cast<unsigned char>(process.path().filename().string().front()))) {
      continue;
    }
    for (const char* below : {"/ns", "/fd"}) {
      for (const auto& each : fs::directory_iterator(process.path().string() + below, error)) {
        if (link_of(each.path().string()) == link) return true;
      }
    }
  }
  return false;
}

// A file among the findings must be a whole one.
bool is_whole_scenario(const fs::path& path) {
  const std::string text = read_file(path.string());
  return path.extension() == ".scn" && text.ends_with('\n') && parse(text).has_value();
}

}  // namespace

Traces::Traces(std::string folder)
    : folder_(std::move(folder)),
      mounts_(read_file("/proc/self/mountinfo")),
      mounts_of_init_(read_file("/proc/1/mountinfo")),
      shared_memory_(entries_of("/dev/shm")) {
  for (const char* kind : kinds) own_.insert(link_of(fmt::format("/proc/self/ns/{}", kind)));
  const std::string handle = handle_of("/proc/self/ns/mnt");
  has_handles_ = !handle.empty() && opens(handle);
}

void Traces::note_namespaces(pid_t pid) {
  for (const char* kind : kinds) {
    const std::string path = fmt::format("/proc/{}/ns/{}", pid, kind);
    Namespace one{.link = link_of(path), .handle = {}};
    if (one.link.empty() || own_.contains(one.link)) continue;
    if (has_handles_) one.handle = handle_of(path);
    // The process may have entered another one, or have ended, between the two reads.
    if (link_of(path) == one.link) namespaces_.insert(std::move(one));
  }
}

bool Traces::is_alive(const Namespace& one) const {
  return has_handles_ ? !one.handle.empty() && opens(one.handle) : is_linked(one.link);
}

void Traces::look_for_files(std::vector<std::string>& found) const {
  const auto complain_of = [&](const fs::path& path, const char* why) {
    found.push_back(fmt::format("file: {}: {}", path.string(), why));
  };
  for (const std::string& entry : entries_of("/dev/shm")) {
    if (!shared_memory_.contains(entry)) complain_of("/dev/shm/" + entry, "new");
  }
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder_, error)) {
    const fs::path inside = entry.path().lexically_relative(folder_);
    const std::string top = inside.begin()->string();
    const bool is_top = inside == fs::path(top);
    if (is_top && (top == "out" || top == "err" || top == "tmp" || top == "artifacts")) continue;
    if (top == "corpus" || top == "inputs") continue;  // libFuzzer's own files
    if (top != "artifacts") {
      complain_of(entry.path(), "nobody asked for it");
    } else if (!entry.is_directory() && !is_whole_scenario(entry.path())) {
      complain_of(entry.path(), "not a whole scenario");
    }
  }
}

std::vector<std::string> Traces::left_behind_now() const {
  std::vector<std::string> found;
  reap_orphans(-1);
  for (const Process& process : processes_below(-1)) {
    found.push_back(fmt::format("process: {} ({}, state {})", process.pid, name(process.role),
                                process.state));
  }
  for (const Namespace& one : namespaces_) {
    if (is_alive(one)) found.push_back("namespace: " + one.link);
  }
  if (read_file("/proc/self/mountinfo") != mounts_) found.emplace_back("mount: mountinfo differs");
  if (read_file("/proc/1/mountinfo") != mounts_of_init_) {
    found.emplace_back("mount: mountinfo of process 1 differs");
  }
  look_for_files(found);
  return found;
}

std::vector<std::string> Traces::left_behind(int limit_ms) const {
  const std::int64_t end_ms = now_ms() + limit_ms;
  for (;;) {
    std::vector<std::string> found = left_behind_now();
    if (found.empty() || now_ms() >= end_ms) return found;
    sleep_us(look_again_us);
  }
}

bool Traces::nothing_left() const {
  const std::vector<std::string> found = left_behind(gone_limit_ms);
  for (const std::string& line : found) fmt::print("left behind: {}\n", line);
  return found.empty();
}

}  // namespace pivotcheck::safety

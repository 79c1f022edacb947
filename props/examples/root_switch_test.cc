// SPDX-License-Identifier: Apache-2.0
// root_switch_test.cc: names that somebody changes after they were checked, by RootSwitch::make(),
// and before they are used, by start(): the new root's, one at its top, one on the way to the
// source of a bind. race_test.sh tries the same with names that change all the time.
//
// The new root is empty, so a command of the host's is not found there; if it is, the host has come
// in.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "examples.h"
#include "switch/root_switch.h"

namespace pivotcheck {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    for (const char* name : {"root/proc", "root/mnt", "root/bin", "src/dir"}) {
      fs::create_directories(path_ + "/" + name);
    }
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const char* name) const { return path_ + "/" + name; }
  // Whoever looks the name up again gets to `target`.
  void exchange(const char* name, const char* target) const {
    const std::string path = *this / name;
    fs::rename(path, path + "-moved");
    fs::create_symlink(target, path);
  }

 private:
  std::string path_ = (fs::temp_directory_path() / "pivotcheck-XXXXXX").string();
};

SwitchOptions options_for(const Folder& folder, Strategy strategy) {
  SwitchOptions options;
  options.strategy = strategy;
  options.new_root = folder / "root";
  options.user_namespace = true;
  options.uid_map = {{.inside = 0, .outside = ::geteuid()}};
  options.gid_map = {{.inside = 0, .outside = ::getegid()}};
  return options;
}

// What start() says; `change` comes between make() and it.
SwitchFailure failure_after(const SwitchOptions& options, const std::function<void()>& change) {
  auto root = RootSwitch::make(options);
  if (!root) return root.error();
  change();
  auto child = root->start({.arguments = {"/bin/true"}, .environment = {}, .signal_mask = {}});
  if (!child) return child.error();
  SwitchFailure started;
  started.message = "the host's command was started";
  return started;
}

}  // namespace

TEST_CASE("the directory that was checked is the new root, whatever has its name by then") {
  if (!user_namespaces_allowed()) return;
  for (const StrategyInfo& row : strategies()) {
    CAPTURE(row.name);
    const Folder folder;
    const auto failure = failure_after(options_for(folder, row.strategy),
                                       [&] { folder.exchange("root", "/"); });
    CHECK_MESSAGE(failure.kind == SwitchFailure::Kind::not_found, failure.message);
  }
}

TEST_CASE("a name at the root's top that has become a link is not followed") {
  if (!user_namespaces_allowed()) return;
  const Folder folder;
  const auto failure = failure_after(options_for(folder, Strategy::tmpfs_sandbox),
                                     [&] { folder.exchange("root/bin", "/bin"); });
  CHECK_MESSAGE(failure.error == ELOOP, failure.message);
  CHECK(failure.message.starts_with("new root " + (folder / "root") + ": open_tree"));
}

TEST_CASE("a link that comes onto the way to the source of a bind is not followed") {
  if (!user_namespaces_allowed()) return;
  for (const StrategyInfo& row : strategies()) {
    CAPTURE(row.name);
    const Folder folder;
    SwitchOptions options = options_for(folder, row.strategy);
    options.mounts.push_back(BindAt{.source = folder / "src/dir", .target = "/mnt"});
    const auto failure = failure_after(options, [&] { folder.exchange("src", "src-moved"); });
    CHECK_MESSAGE(failure.error == ELOOP, failure.message);
    CHECK(failure.message.starts_with("the mount at /mnt: open_tree"));
  }
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// situations_test.cc: for each situation, a scenario that reaches it, and one that lacks one thing
// and does not. Only the model is asked, of a kernel whose contract is the newest.
#include "check/gen/situations.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>

#include "examples.h"
#include "model/predict.h"

namespace pivotcheck {
namespace {

using gen::Situations;

struct Example {
  std::string reaches;
  std::string misses;
};

const std::string tmpfs_a = "mkdir /a\nmount tmpfs /a\n";
const std::string shared_a = tmpfs_a + "make-shared /a\nmkdir /a/x\n";
// A slave of /a on /b, and a slave of that on /c.
const std::string two_masters =
    "mkdir /a\nmkdir /b\nmkdir /c\nmount tmpfs /a\nmake-shared /a\nmkdir /a/x\nbind /a /b\n"
    "make-slave /b\nmake-shared /b\nbind /b /c\nmake-slave /c\n";
const std::string three_masters =
    two_masters + "make-shared /c\nmkdir /d\nbind /c /d\nmake-slave /d\n";
const std::string three_namespaces = "spawn B\nB: unshare mnt\nspawn C\nC: unshare mnt\n";
const std::string two_namespaces = "spawn B\nB: unshare mnt\n";
const std::string deeper = "unshare user,mnt\n";
const std::string peers =
    "mkdir /a\nmkdir /b\nmount tmpfs /a\nmake-shared /a\nmkdir /a/x\nbind /a /b\n";
const std::string a_mount_apart =
    "mkdir /p\nmount tmpfs /p\nmake-private /p\nmkdir /p/m\nmount ramfs /p/m\n";
// B is in a less privileged namespace, in which /a and what is on /a/x are locked.
const std::string locked_copy =
    "make-shared /\nmkdir /a\nmount tmpfs /a\nmkdir /a/x\nmkdir /a/y\nmount tmpfs /a/x\nspawn B\n"
    "B: unshare user,mnt\n";
// B's root and directory are A's, in another namespace.
const std::string foreign_directory =
    tmpfs_a + "spawn B\nB: open h /\nB: unshare mnt\nB: fchdir h\n";

std::string mounts(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "mount tmpfs /\n";
  return text;
}

const std::map<std::string_view, Example>& examples() {
  static const std::map<std::string_view, Example> all{
      {"slave-chain-2", {two_masters, peers + "make-slave /b\n"}},
      {"slave-chain-3", {three_masters, two_masters}},
      {"slave-chain-4",
       {three_masters + "make-shared /d\nmkdir /e\nbind /d /e\nmake-slave /e\n",
        three_masters + "make-shared /d\nmkdir /e\nbind /d /e\n"}},
      {"group-in-3-namespaces",
       {"make-shared /\n" + three_namespaces, "make-shared /\n" + two_namespaces}},
      {"four-namespaces",
       {three_namespaces + "spawn D\nD: unshare mnt\n",
        three_namespaces + "B: exit\nspawn D\nD: unshare mnt\n"}},
      {"user-namespaces-three-deep", {deeper + deeper + deeper, deeper + deeper}},
      {"many-mounts", {mounts(31), mounts(30)}},
      {"mount-over-3-namespaces",
       {"make-shared /\nmkdir /a\n" + three_namespaces + "mount tmpfs /a\n",
        "make-shared /\nmkdir /a\n" + three_namespaces + "C: make-private /\nmount tmpfs /a\n"}},
      {"mount-reaches-slave-of-slave",
       {two_masters + "mount tmpfs /a/x\n", two_masters + "make-private /c\nmount tmpfs /a/x\n"}},
      {"copy-arrives-locked",
       {"make-shared /\nmkdir /a\nmkdir /b\nspawn B\nB: unshare user,mnt\nmount tmpfs /a\n"
        "make-private /a\nmkdir /a/x\nmount tmpfs /a/x\nrbind /a /b\n",
        "make-shared /\nmkdir /a\nmkdir /b\nspawn B\nB: unshare user,mnt\nmount tmpfs /a\n"
        "make-private /a\nmkdir /a/x\nmount tmpfs /a/x\nbind /a /b\n"}},
      {"copy-tucked-beneath",
       {peers + "make-slave /b\nmount ramfs /b/x\nmount tmpfs /a/x\n",
        peers + "make-slave /b\nmount tmpfs /a/x\nmount ramfs /b/x\n"}},
      {"detached-tree-propagates",
       {peers + "fsmount h tmpfs\nmove_mount @h /a/x\n",
        shared_a + "fsmount h tmpfs\nmove_mount @h /a/x\n"}},
      {"move-propagates",
       {peers + a_mount_apart + "move /p/m /a/x\n", shared_a + a_mount_apart + "move /p/m /a/x\n"}},
      {"beneath-propagates",
       {peers + "mount tmpfs /a/x\n" + a_mount_apart + "move_mount /p/m /a/x beneath\n",
        shared_a + "mount tmpfs /a/x\n" + a_mount_apart + "move_mount /p/m /a/x beneath\n"}},
      {"umount-over-3-namespaces",
       {"make-shared /\n" + tmpfs_a + three_namespaces + "umount /a\n",
        "make-shared /\n" + tmpfs_a + three_namespaces + "C: make-private /\numount /a\n"}},
      {"nested-mounts-go",
       {"make-shared /\n" + shared_a + "mount tmpfs /a/x\n" + two_namespaces + "umount /a detach\n",
        "make-shared /\n" + shared_a + "mount tmpfs /a\n" + two_namespaces + "umount /a\n"}},
      {"locked-copy-stays",
       {locked_copy + "B: mount tmpfs /a/y\numount /a detach\n",
        locked_copy + "umount /a detach\n"}},
      {"cover-reparented",
       {peers + "make-slave /b\nmount tmpfs /a/x\nmount ramfs /b/x\numount /a/x\n",
        peers + "make-slave /b\nmount tmpfs /a/x\nmount ramfs /b/x\numount /b/x\n"}},
      {"umount-with-busy-copy",
       {peers + "mount tmpfs /a/x\nspawn B\nB: chdir /b/x\numount /a/x\n",
        peers + "mount tmpfs /a/x\nspawn B\nB: chdir /b/x\numount /a/x detach\n"}},
      {"umount-takes-busy-copy",
       {"mkdir /b\nmake-shared /\nbind / /b\nchdir /b\nbind /b/b /b/b\numount /b/b\n",
        "mkdir /b\nmake-shared /\nbind / /b\nbind /b/b /b/b\numount /b/b\n"}},
      {"unmounted-tree-stays-together",
       {locked_copy + "B: chdir /a\numount /a detach\n",
        locked_copy + "B: chdir /a/x\numount /a detach\n"}},
      {"pivot-moves-foreign-task",
       {foreign_directory + "pivot_root /a /a\n",
        foreign_directory + "B: chdir /\npivot_root /a /a\n"}},
      {"pivot-of-shared-root",
       {"mkdir /b\n" + a_mount_apart + "make-shared /\nbind / /b\npivot_root /p/m /p/m\n",
        "mkdir /b\n" + a_mount_apart + "make-shared /\npivot_root /p/m /p/m\n"}},
      {"name-takes-foreign-mount",
       {"mkdir /a\n" + two_namespaces + "B: mount tmpfs /a\nrmdir /a\n",
        "mkdir /a\n" + two_namespaces + "rmdir /a\n"}},
      {"namespace-leaves-slaves",
       {two_namespaces + "B: make-shared /\nspawn C\nB: spawn D\nD: unshare mnt\nD: make-slave /\n"
                         "B: exit\n",
        two_namespaces + "B: make-shared /\nB: spawn D\nD: unshare mnt\nB: exit\n"}},
  };
  return all;
}

Situations reached_by(const std::string& text) {
  const Prediction prediction = predict(scenario_of(text), KernelTraits{});
  return gen::situations_of(prediction);
}

}  // namespace

TEST_CASE("each situation is reached by its scenario, and not by one that is close to it") {
  CHECK(examples().size() == gen::situations_count);
  for (std::size_t i = 0; i < gen::situations_count; ++i) {
    const std::string_view name = gen::situation_table()[i].name;
    CAPTURE(name);
    const auto example = examples().find(name);
    REQUIRE(example != examples().end());
    CHECK_MESSAGE(reached_by(example->second.reaches)[i], example->second.reaches);
    CHECK_FALSE_MESSAGE(reached_by(example->second.misses)[i], example->second.misses);
  }
}

TEST_CASE("the corpus reaches each situation") {
  Situations reached;
  for (const auto& [name, text, scenario] : corpus_files(".")) {
    reached |= gen::situations_of(predict(scenario, KernelTraits{}));
  }
  for (std::size_t i = 0; i < gen::situations_count; ++i) {
    CHECK_MESSAGE(reached[i], gen::situation_table()[i].name);
  }
}

}  // namespace pivotcheck

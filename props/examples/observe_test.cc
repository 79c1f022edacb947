// SPDX-License-Identifier: Apache-2.0
// observe_test.cc: the two sources of a Snapshot, in the small worlds that corpus/worlds draws, and
// the parser of mountinfo. The test driver makes the worlds; both sources must show what was made.
//
// Worlds owned by the machine's own user namespace take root, the others user namespaces, and one
// of the sources listmount: where one of these is missing, the test case counts as not run.
#include "observe/observe.h"

#include <sys/prctl.h>

#include <random>
#include <sstream>

#include <fmt/format.h>

#include "check/compare/compare.h"
#include "check/trial/probed_traits.h"
#include "examples.h"
#include "model/predict.h"
#include "observe/mountinfo.h"
#include "view/draw.h"

namespace pivotcheck {
namespace {

const Observer& the_observer() {
  static const Expected<Observer> observer = Observer::make();
  REQUIRE(observer.has_value());
  return *observer;
}

// Those that this kernel has.
std::vector<Source> sources() {
  if (the_observer().has(Source::listmount)) return {Source::listmount, Source::mountinfo};
  not_run("by listmount: this kernel has none");
  return {Source::mountinfo};
}

Observation observed(const std::vector<LiveTask>& tasks, Source source) {
  Expected<Observation> observation = the_observer().observe(tasks, source);
  REQUIRE_MESSAGE(observation, (observation ? "" : observation.error().what));
  observation->snapshot = canonical(std::move(observation->snapshot));
  return std::move(*observation);
}

// The drawing of its end with which a file of corpus/worlds ends: the comments after the last step.
std::vector<std::string> drawing_in(const std::string& text) {
  std::vector<std::string> drawing;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) drawing.push_back(line.substr(2));
    else drawing.clear();
  }
  return drawing;
}

// Some of the drawing's mounts are hidden from every process that mountinfo can be read of. Only the
// count of mounts shows that, and kernels without listmount have no such count.
bool take_mark_of_hidden(std::vector<std::string>& drawing) {
  if (drawing.front() != "hidden from mountinfo:") return false;
  drawing.erase(drawing.begin());
  return true;
}

TEST_CASE("observe: each source, and the model, show a world as its scenario draws it") {
  const std::vector<Privilege> can_run = privileges();
  const std::vector<Source> available = sources();
  std::size_t drawn = 0;
  for (const auto& [name, text, scenario] : corpus_files("worlds")) {
    CAPTURE(name);
    std::vector<std::string> drawing = drawing_in(text);
    if (drawing.empty()) continue;  // only its outcomes matter: kernel_driver_test.cc
    ++drawn;
    const bool hidden = take_mark_of_hidden(drawing);
    const KernelTraits traits = probed_traits().traits;
    CHECK(draw(canonical(snapshot(predict(scenario, traits).world))) == drawing);
    for (const Privilege privilege : can_run) {
      CAPTURE(privilege == Privilege::root);
      KernelDriver driver = start(privilege);
      const std::vector<LiveTask> tasks = perform(driver, text).tasks;
      for (const Source source : available) {
        CAPTURE(static_cast<int>(source));
        const Observation observation = observed(tasks, source);
        if (hidden && source == Source::mountinfo) {
          CHECK((!observation.complete || available.size() == 1));
          const model::World world = predict(scenario, traits).world;
          const Snapshot same_part = canonical(snapshot(world, observation.seen_from));
          CHECK(draw(observation.snapshot) == draw(same_part));
          CHECK(draw(same_part) != drawing);
          continue;
        }
        CHECK(observation.complete);
        CHECK(draw(observation.snapshot) == drawing);
      }
    }
  }
  CHECK(drawn == 17);  // a drawing that is not found would be passed over
}

// As some kernels do after pivot_root (FINDINGS.md): the lowest mount is not listed.
Expected<ListedNamespace> loses_the_lowest(const NamespaceIdentity& which) {
  Expected<ListedNamespace> listed = list_mounts(which);
  if (!listed || listed->mounts.empty()) return listed;
  listed->mounts.erase(listed->mounts.begin());
  listed->mountinfo_ids.erase(listed->mountinfo_ids.begin());
  listed->complete = false;
  return listed;
}

TEST_CASE("observe: what listmount does not list is read inside, from the top of the namespace") {
  const Expected<Observer> observer = Observer::make(loses_the_lowest);
  REQUIRE(observer);
  if (!observer->has(Source::listmount)) return not_run("by listmount: this kernel has none");
  for (const Privilege privilege : privileges()) {
    KernelDriver driver = start(privilege);
    // No task's root is a mount at "/", so a process must enter.
    const auto seen = observer->observe(
        perform(driver, "mkdir /a\nmkdir /a/b\nmount tmpfs /a/b\nmount tmpfs /a\nchroot /a").tasks,
        Source::listmount);
    REQUIRE_MESSAGE(seen, (seen ? "" : seen.error().what));
    CHECK(seen->source == Source::mountinfo);
    CHECK(seen->seen_from.at(0).from == Viewpoint::From::entered);
    CHECK(seen->listmount_lost);
    CHECK(seen->complete);
    CHECK(seen->snapshot.namespaces.at(0).mounts.size() == 3);
    // Below the cover a task stands, which shows the way.
    const std::string covered = "mount tmpfs /\nchroot /..\nmkdir /d\nmount tmpfs /d\n";
    const auto whole = observer->observe(perform(driver, covered).tasks, Source::listmount);
    REQUIRE_MESSAGE(whole, (whole ? "" : whole.error().what));
    CHECK(whole->complete);
    CHECK(whole->seen_from.at(0).from == Viewpoint::From::current_directory);
    CHECK(whole->snapshot.namespaces.at(0).mounts.size() == 3);
    // Or there is a handle.
    const auto by_handle =
        observer->observe(perform(driver, "open h /\n" + covered + "chdir /").tasks,
                          Source::listmount);
    REQUIRE_MESSAGE(by_handle, (by_handle ? "" : by_handle.error().what));
    CHECK(by_handle->complete);
    CHECK(by_handle->seen_from.at(0).from == Viewpoint::From::handle);
    CHECK(by_handle->snapshot.namespaces.at(0).mounts.size() == 3);
    // Nobody: a part.
    const auto part =
        observer->observe(perform(driver, covered + "chdir /").tasks, Source::listmount);
    REQUIRE_MESSAGE(part, (part ? "" : part.error().what));
    CHECK_FALSE(part->complete);
    CHECK(part->snapshot.namespaces.at(0).mounts.size() == 2);
  }
}

std::vector<std::string> mount_points(const std::vector<MountView>& mounts) {
  std::vector<std::string> points;
  for (const MountView& mount : mounts) points.push_back(mount.mount_point);
  std::ranges::sort(points);
  return points;
}

// A's root is a directory that was renamed out of what the lowest mount shows, with mounts on it.
TEST_CASE("observe: from a root that no path leads to, a process sees what is mounted on it") {
  if (!user_namespaces_allowed()) return;
  const std::string text =
      "spawn B\nmkdir /b\nB: chdir /b\nmkdir /b/c\nmkdir /b/c/a\nmkdir /b/d\nbind /b/c /b/d\n"
      "chdir /b/d/a\nrename /b/c/a /c\nchroot .\nmount tmpfs /\nB: pivot_root /b/d d\n"
      "mkdir /../x\nmount tmpfs /../x\nmkdir /../x/y\nbind /../x /../x/y\n";
  KernelDriver driver = start(Privilege::userns);
  const std::vector<LiveTask> tasks = perform(driver, text).tasks;
  const auto lines = parse_mountinfo(read_file(fmt::format("/proc/{}/mountinfo", tasks[0].pid)));
  REQUIRE(lines);
  const model::World world = predict(scenario_of(text), probed_traits().traits).world;
  const Viewpoint from_root{Viewpoint::From::root, 0, {}};
  const Snapshot seen = snapshot(world, std::span(&from_root, 1));
  CHECK(mount_points(*lines) == std::vector<std::string>{"/", "/x", "/x/y"});
  CHECK(mount_points(seen.namespaces.at(0).mounts) == mount_points(*lines));
  CHECK(seen.tasks.at(1).root.detached);
  for (const std::string& rest : {std::string(), std::string("B: exit\n")}) {
    const std::vector<LiveTask> left = perform(driver, text + rest).tasks;
    const Prediction predicted = predict(scenario_of(text + rest), probed_traits().traits);
    for (const Source source : sources()) {
      const Observation observation = observed(left, source);
      const Snapshot expected = canonical(snapshot(predicted.world, observation.seen_from));
      CHECK(draw(observation.snapshot) == draw(expected));
      // Where the kernel says that there is more than a list has, not from that root.
      if (sources().size() == 2) CHECK(observation.seen_from[0].from != Viewpoint::From::root);
    }
  }
}

TEST_CASE("observe: the two sources are held against each other, mount by mount") {
  if (sources().size() < 2 || !user_namespaces_allowed()) return;
  KernelDriver driver = start(Privilege::userns);
  const std::vector<LiveTask> tasks =
      perform(driver, "mkdir /a\nmount tmpfs /a\nmake-shared /a\nspawn B\nB: unshare mnt\n"
                      "B: make-slave /a").tasks;
  Observation by_id = the_observer().observe(tasks, Source::listmount).value();
  const Observation by_text = the_observer().observe(tasks, Source::mountinfo).value();
  CHECK(what_differs(by_id, by_text).empty());
  const auto differs_after = [&](const auto& change) {
    Observation wrong = by_id;
    change(wrong.snapshot);
    return !what_differs(wrong, by_text).empty();
  };
  CHECK(differs_after([](Snapshot& s) { s.namespaces[1].mounts[1].receives_from = 7; }));
  CHECK(differs_after([](Snapshot& s) { s.namespaces[0].mounts[1].mount_point = "/b"; }));
  CHECK(differs_after([](Snapshot& s) { s.namespaces[0].mounts[1].parent = 0; }));
  CHECK(differs_after([](Snapshot& s) { s.tasks[1].root = s.tasks[0].root; }));
  CHECK(differs_after([](Snapshot& s) { s.namespaces[1].mounts.pop_back(); }));
}

TEST_CASE("observe: long paths and hundreds of mounts") {
  if (!user_namespaces_allowed()) return;
  std::string steps;
  std::string path;
  for (int i = 0; i < 14; ++i) {
    path += "/" + std::string(250, static_cast<char>('a' + i));
    steps += "mkdir " + path + "\n";
  }
  steps += "mkdir /b\nbind " + path + " /b\nbind /b " + path + "\n";
  for (int i = 0; i < 300; ++i) {
    const std::string name = "/m" + std::to_string(i);
    steps += "mkdir " + name + "\nmount tmpfs " + name + "\n";
  }
  KernelDriver driver = start(Privilege::userns);
  const std::vector<LiveTask> tasks = perform(driver, steps + "chdir " + path).tasks;
  std::vector<Snapshot> seen;
  for (const Source source : sources()) {
    const Observation observation = observed(tasks, source);
    CHECK(observation.complete);
    CHECK(observation.snapshot.namespaces[0].mounts.size() == 1 + 2 + 300);
    CHECK(observation.snapshot.tasks[0].current_directory.path.size() == 14 * 251);
    seen.push_back(observation.snapshot);
  }
  if (seen.size() == 2) CHECK(differences(seen[0], seen[1]).empty());
}

TEST_CASE("observe: a namespace without mounts") {
  if (!is_root()) return;
  KernelDriver driver = start(Privilege::root);
  const std::vector<LiveTask> tasks = perform(driver, "mkdir /a\nopen h /a\numount / detach").tasks;
  for (const Source source : sources()) {
    CAPTURE(static_cast<int>(source));
    CHECK(draw(observed(tasks, source).snapshot) ==
          std::vector<std::string>{"namespace 1: A", "(no mounts)",
                                   "A  root detached #1 /  cwd detached #1 /",
                                   "   @h detached #1 /a"});
  }
}

TEST_CASE("observe: an ordinary user sees the worlds of their own user namespaces") {
  if (!user_namespaces_allowed()) return;
  const auto look = [available = sources()] {
    static constexpr uid_t nobody = 65534;
    if (::geteuid() == 0 &&
        (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0 ||
         ::prctl(PR_SET_DUMPABLE, 1) != 0)) {
      return 2;
    }
    KernelDriver driver = start(Privilege::userns);
    const std::vector<LiveTask> tasks =
        perform(driver, "mkdir /a\nmount tmpfs /a\nspawn B\nB: unshare user,mnt").tasks;
    const Snapshot by_mountinfo = observed(tasks, Source::mountinfo).snapshot;
    for (const Source source : available) {
      if (observed(tasks, source).snapshot != by_mountinfo) return 3;
    }
    return by_mountinfo.namespaces.size() == 2 ? 0 : 4;
  };
  CHECK(status_of_child(look) == 0);
}

TEST_CASE("observe: a task that has ended is a harness failure") {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  const std::vector<LiveTask> tasks{{"A", pid, {}}};
  CHECK_FALSE(the_observer().observe(tasks, Source::mountinfo).has_value());
  CHECK(the_observer().has(Source::mountinfo));
}

TEST_CASE("mountinfo: a line with everything") {
  const auto lines = parse_mountinfo(
      "36 35 0:41 /d\\134//deleted /a\\040b rw,nosuid,relatime,future shared:3 master:1 "
      "propagate_from:2 future:9 - tmpfs  ro,size=4k\n");
  REQUIRE(lines.has_value());
  const MountView& mount = lines->at(0);
  CHECK(mount.id == 36);
  CHECK(mount.parent == 35);
  CHECK(mount.filesystem == filesystem_number(0, 41));
  CHECK(mount.root == "/d\\");
  CHECK(mount.root_removed);
  CHECK(mount.mount_point == "/a b");
  CHECK(mount.flags == MountFlags{MountFlag::nosuid});
  CHECK(mount.filesystem_read_only);
  CHECK(mount.peer_group == 3);
  CHECK(mount.master_group == 1);
  CHECK(mount.receives_from == 2);
}

TEST_CASE("mountinfo: what is malformed is an error with its line") {
  CHECK(parse_mountinfo("")->empty());
  const std::string good = "1 2 0:3 / / rw - tmpfs none rw\n";
  REQUIRE(parse_mountinfo(good).has_value());
  for (const char* bad :
       {"\n", "x\n", "1\n", "1 2 0:3 / / rw - tmpfs none rw", "1 2 03 / / rw - tmpfs none rw\n",
        "1 2 0:3 / a rw - tmpfs none rw\n", "1 2 0:3 /\\9 / rw - tmpfs none rw\n",
        "1 2 0:3 / /\\04 rw - tmpfs none rw\n", "1 2 0:3 / /\\000 rw - tmpfs none rw\n",
        "1 2 0:3 / /\\777 rw - tmpfs none rw\n", "1 2 0:3 / / rx - tmpfs none rw\n",
        "1 2 0:3 / / rw shared:x - tmpfs none rw\n", "1 2 0:3 / / rw shared:1 tmpfs none rw\n",
        "1 2 0:3 / / rw - tmpfs none\n", "1 2 0:3 / / rw - tmpfs none r\n",
        "1 2 0:3 / / rw -  none rw\n", "0 2 0:3 / / rw - tmpfs none rw\n",
        "1 2 0:99999999999 / / rw - tmpfs none rw\n", "-1 2 0:3 / / rw - tmpfs none rw\n",
        "1 2 0:3 //deleted / rw - tmpfs none rw\n",
        "99999999999999999999 2 0:3 / / rw - t n rw\n"}) {
    CAPTURE(bad);
    const auto lines = parse_mountinfo(good + bad);
    REQUIRE_FALSE(lines.has_value());
    CHECK(lines.error().line == 2);
    CHECK_FALSE(lines.error().reason.empty());
  }
}

TEST_CASE("mountinfo: any bytes are read or refused") {
  std::mt19937 random(1);
  const std::string good =
      "36 35 0:41 /d\\134//deleted /a\\040b rw,nosuid shared:3 master:1 unbindable - tmpfs x ro\n";
  std::size_t read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = good + good;
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0) text[at] = " \n\\0/:-,"[random() % 8];
      else if (random() % 2 == 0) text[at] = static_cast<char>(random());
      else text.erase(at, random() % 9);
      if (text.empty()) break;
    }
    read += parse_mountinfo(text).has_value();
  }
  CHECK(read > 50'000);
}

}  // namespace
}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// laws_test.cc: for each law, a scenario whose last step keeps it, and the same with a state that
// was altered so that it breaks it; what each quirk excuses, and that it excuses nothing else; and
// a broken law as the result of a trial.
#include "check/laws/laws.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "check/trial/minimize.h"
#include "check/trial/model_state.h"
#include "examples.h"
#include "model/apply.h"

namespace pivotcheck {
namespace {

using laws::MountState;
using laws::State;

// A kernel whose contract has no quirk, so that scenarios show the same wherever they run.
KernelTraits no_quirks() {
  KernelTraits traits;
  traits.namespace_copy_loses_unbindable = false;
  return traits;
}

std::size_t number_of(std::string_view law) {
  for (std::size_t i = 0; i < laws::laws_count; ++i) {
    if (laws::all_laws()[i].name == law) return i;
  }
  FAIL("no such law: ", law);
  return 0;
}

MountState& on(State& state, std::string_view place, std::size_t skipped = 0) {
  for (MountState& mount : state.mounts) {
    if (mount.place == place && skipped-- == 0) return mount;
  }
  FAIL("no mount on ", place);
  return state.mounts.front();
}

void lose(State& state, MountId id) {
  std::erase_if(state.mounts, [id](const MountState& mount) { return mount.id == id; });
}

using Alter = std::function<void(State& before, State& after)>;

// The model performs the steps; the states around the last one are altered. `succeeds`: it is said
// to succeed, though the model refuses it.
struct Asked {
  bool was_asked;
  bool is_broken;
};
Asked ask(std::string_view law, std::string_view text, const Alter& alter,
          const laws::Quirks& quirks = {}, bool succeeds = false,
          const KernelTraits& traits = no_quirks()) {
  const Program program = program_of(text);
  model::World world(program.privilege, traits);
  laws::AskedCounts asked{};
  laws::Watch watch(quirks, asked);
  State before = state_of(world);
  watch.begin(before);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Verdict verdict = apply(world, program.steps[i]);
    State after = state_of(world);
    if (i + 1 == program.steps.size()) {
      alter(before, after);
      watch.begin(before);
      asked = {};
    }
    before = after;
    const bool is_forced = succeeds && i + 1 == program.steps.size();
    watch.after(step_of(program, i), is_forced ? Outcome{} : verdict.outcome, std::move(after));
  }
  const bool is_broken = std::ranges::any_of(watch.breaches(), [&](const laws::Breach& breach) {
    return breach.law->name == law && breach.step == program.steps.size();
  });
  return {asked[number_of(law)] > 0, is_broken};
}

struct Example {
  std::string_view scenario;
  Alter alter;
  std::string_view refused = {};  // a scenario that would break the law if its last step succeeded
};

constexpr std::string_view two_peers =
    "make-shared /\nmkdir /a\nmkdir /b\nbind / /a\nmount tmpfs /b\n";
constexpr std::string_view own_mount_on_a_slave =
    "mkdir /a\nmkdir /b\nmount tmpfs /a\nmake-shared /a\nmkdir /a/x\nbind /a /b\nmake-slave /b\n"
    "mount tmpfs /b/x\nmount tmpfs /a/x\numount /a/x\n";
constexpr std::string_view pivot = "mkdir /a\nmount tmpfs /a\npivot_root /a /a\n";

const std::map<std::string_view, Example>& examples() {
  static const std::map<std::string_view, Example> all{
      {"one-mount-at-each-place",
       {"mkdir /a\nmount tmpfs /a\n",
        [](State&, State& after) {
          after.mounts.push_back(on(after, "/a"));
          after.mounts.back().id += 1000;
        }}},
      {"mounts-form-trees",
       {"mkdir /a\nmount tmpfs /a\n", [](State&, State& after) { on(after, "/a").parent = 999; }}},
      {"unbindable-is-private",
       {"make-unbindable /\n", [](State&, State& after) { after.mounts[0].master = 5; }}},
      {"peers-are-alike",
       {"make-shared /\nmkdir /a\nbind / /a\n",
        [](State&, State& after) { on(after, "/a").master = 7; }}},
      {"no-group-above-itself",
       {"make-shared /\nmkdir /a\nbind / /a\nmake-slave /a\nmake-shared /a\n",
        [](State&, State& after) { on(after, "").master = on(after, "/a").group; }}},
      {"masters-have-members",
       {"make-shared /\nmkdir /a\nbind / /a\nmake-slave /a\n",
        [](State&, State& after) { on(after, "/a").master += 100; }}},
      {"detached-trees-are-held",
       {"fsmount h tmpfs\n", [](State&, State& after) { after.tasks[0].handles.clear(); }}},
      {"refused-changes-nothing",
       {"rmdir /\n", [](State&, State& after) { after.mounts[0].group = 5; }}},
      {"only-mounting-changes-mounts",
       {"mkdir /a\n", [](State&, State& after) { after.mounts[0].group = 5; }}},
      {"flags-stay",
       {"mkdir /a\nmount tmpfs /a\n",
        [](State&, State& after) { on(after, "").flags.set(MountFlag::ro); }}},
      {"locked-flags-stay",
       {"mkdir /a\nmount tmpfs /a ro\nunshare user,mnt\nchdir /\n",
        [](State&, State& after) { on(after, "/a").flags = {}; }}},
      {"attributes-are-as-asked",
       {"mkdir /a\nmount tmpfs /a\nremount /a ro\n",
        [](State&, State& after) { on(after, "/a").flags = {}; }}},
      {"types-change-by-the-table",
       {"make-shared /\n", [](State&, State& after) { after.mounts[0].group = 0; }}},
      {"group-is-joined",
       {"mkdir /a\nmkdir /b\nmount tmpfs /a\nbind /a /b\nmake-shared /a\n"
        "move_mount /a /b set_group\n",
        [](State&, State& after) { on(after, "/b").unbindable = true; }}},
      {"receivers-receive",
       {two_peers, [](State&, State& after) { lose(after, on(after, "/b", 1).id); }}},
      {"copies-are-related",
       {two_peers, [](State&, State& after) { on(after, "/b", 1).group += 100; }}},
      {"mount-is-new",
       {"mkdir /a\nmount tmpfs /a\n",
        [](State&, State& after) { on(after, "/a").flags.set(MountFlag::nodev); }}},
      {"bind-copies",
       {"mkdir /a\nmkdir /b\nmount tmpfs /a\nbind /a /b\n",
        [](State&, State& after) { on(after, "/b").group = 7; }}},
      {"move-keeps",
       {"mkdir /a\nmkdir /b\nmount tmpfs /a\nmake-shared /a\nmove /a /b\n",
        [](State&, State& after) { on(after, "/b").group = 0; }}},
      {"shared-mounts-keep-what-is-on-them",
       {"mkdir /a\nmkdir /b\nmount tmpfs /a\nmove /a /b\n",
        [](State& before, State&) { on(before, "").group = 7; }}},
      {"umount-leaves-what-is-in-use",
       {"mkdir /a\nmount tmpfs /a\numount /a\n",
        [](State& before, State&) {
          before.tasks[0].current_directory.mount = on(before, "/a").id;
        }}},
      {"umount-goes-where-mounting-goes",
       {"make-shared /\nmkdir /a\nmkdir /b\nbind / /a\nmount tmpfs /b\numount /b\n",
        [](State& before, State& after) { after.mounts.push_back(on(before, "/b", 1)); }}},
      {"umount-shifts-nothing",
       {own_mount_on_a_slave, [](State&, State& after) { on(after, "/x").place = "/y"; }}},
      {"mounts-go-by-umount",
       {"mkdir /a\nmount tmpfs /a\nchdir /\n",
        [](State&, State& after) { lose(after, on(after, "/a").id); }}},
      {"pivot-only-exchanges",
       {pivot, [](State&, State& after) { after.mounts[0].flags.set(MountFlag::ro); }}},
      {"pivot-moves-who-stood-there",
       {pivot,
        [](State& before, State& after) {
          after.tasks[0].current_directory = before.tasks[0].current_directory;
        }}},
      {"pivot-is-restricted",
       {pivot, [](State& before, State&) { on(before, "/a").group = 7; },
        "mkdir /a\nmount tmpfs /a\nmkdir /b\nmount tmpfs /b\npivot_root /a /b\n"}},
      {"tasks-move-themselves",
       {"spawn B\nchdir /\n", [](State&, State& after) { ++after.tasks[1].root.object; }}},
      {"paths-cross-mounts",
       {"mkdir /a\nmount tmpfs /a\nchdir /a\n",
        [](State& before, State& after) {
          after.tasks[0].current_directory = before.tasks[0].root;
          after.tasks[0].current_directory.path = "/a";
        }}},
      {"setns-enters-at-the-top",
       {"spawn B\nB: unshare mnt\nsetns B mnt\n",
        [](State&, State& after) { after.tasks[0].root.path = "/a"; }}},
      {"namespace-is-copied",
       {"mkdir /a\nmount tmpfs /a\nunshare mnt\n",
        [](State&, State& after) { on(after, "/a").flags.set(MountFlag::ro); }}},
      {"calls-need-their-capability", {"chroot /\n", {}, "dropcap sys_chroot\nchroot /\n"}},
      {"expiry-needs-a-mark",
       {"mkdir /a\nmount tmpfs /a\numount /a expire\numount /a expire\n",
        {},
        "mkdir /a\nmount tmpfs /a\numount /a expire\nchdir /a\nchdir /\numount /a expire\n"}},
      {"covered-stays-covered",
       {"mkdir /a\nmount tmpfs /a\nunshare user,mnt\nchdir /\n",
        [](State&, State& after) { lose(after, on(after, "/a").id); }}},
  };
  return all;
}

TEST_CASE("each law is kept by an example, which asks it, and broken by an altered state") {
  for (const laws::Law& law : laws::all_laws()) {
    CAPTURE(law.name);
    const auto example = examples().find(law.name);
    REQUIRE(example != examples().end());
    const auto& [scenario, alter, refused] = example->second;
    const auto as_it_is = [](State&, State&) {};
    const Asked kept = ask(law.name, scenario, as_it_is);
    CHECK(kept.was_asked);
    CHECK_FALSE(kept.is_broken);
    CHECK((refused.empty() ? ask(law.name, scenario, alter)
                           : ask(law.name, refused, as_it_is, {}, true))
              .is_broken);
  }
}

TEST_CASE("access times that came to a less privileged namespace stay, nosymfollow need not") {
  constexpr std::string_view scenario =
      "mkdir /a\nmount tmpfs /a strictatime,nosymfollow\nunshare user,mnt\nchdir /\n";
  const auto becomes = [&](MountFlags flags) {
    return ask("locked-flags-stay", scenario,
               [flags](State&, State& after) { on(after, "/a").flags = flags; });
  };
  CHECK_FALSE(becomes({MountFlag::strictatime}).is_broken);
  CHECK(becomes({}).is_broken);
  CHECK(becomes({MountFlag::strictatime, MountFlag::nodiratime}).is_broken);
}

TEST_CASE("a quirk excuses its deviation, and no other breach of its law") {
  const auto slave = [](State&, State& after) { after.mounts[0].master = 5; };
  const auto shared = [](State&, State& after) { after.mounts[0].group = 5; };
  const laws::Quirks set_group{.set_group_leaves_unbindable = true};
  CHECK_FALSE(ask("unbindable-is-private", "make-unbindable /\n", slave, set_group).is_broken);
  CHECK(ask("unbindable-is-private", "make-unbindable /\n", shared, set_group).is_broken);

  const laws::Quirks busy{.umount_takes_busy_copies = true};
  const auto& named = examples().at("umount-leaves-what-is-in-use");
  CHECK(ask("umount-leaves-what-is-in-use", named.scenario, named.alter, busy).is_broken);

  const laws::Quirks copy{.namespace_copy_loses_unbindable = true};
  const auto bindable = [](State&, State& after) { after.mounts.back().unbindable = false; };
  const auto other_flags = [](State&, State& after) {
    after.mounts.back().flags.set(MountFlag::ro);
  };
  const std::string_view text = "make-unbindable /\nunshare mnt\n";
  CHECK(ask("namespace-is-copied", text, bindable).is_broken);
  CHECK_FALSE(ask("namespace-is-copied", text, bindable, copy).is_broken);
  CHECK(ask("namespace-is-copied", text, other_flags, copy).is_broken);
}

// C's namespace has a locked mount on /a; then one arrives beneath it.
constexpr std::string_view lock_rises =
    "make-shared /\nmkdir /a\nspawn C\nunshare mnt\nC: make-slave /\nC: mount tmpfs /a\n"
    "C: unshare mnt,user\nmount tmpfs /a\nC: bind / /\n";

constexpr std::string_view lock_goes =
    "make-shared /\nmkdir /a\nmkdir /b\nspawn C\nunshare mnt\nC: make-slave /\nC: mount tmpfs /a\n"
    "C: unshare mnt,user\nC: make-shared /\nC: rbind / /b\nmount tmpfs /a\nC: umount /b detach\n";

TEST_CASE("what a locked mount covers is seen, once another one arrived beneath that") {
  const auto as_it_is = [](State&, State&) {};
  const laws::Quirks quirk{.lock_rises_with_cover = true};
  for (const std::string_view text : {lock_rises, lock_goes}) {
    CHECK(ask("covered-stays-covered", text, as_it_is).is_broken);
    CHECK_FALSE(ask("covered-stays-covered", text, as_it_is, quirk).is_broken);
  }
  const auto& locked = examples().at("covered-stays-covered");
  CHECK(ask("covered-stays-covered", locked.scenario, locked.alter, quirk).is_broken);
}

TEST_CASE("what a locked mount covers is seen, once what arrived beneath that is gone again") {
  const std::string_view text =
      "make-shared /\nmkdir /a\nspawn C\nunshare mnt\nC: make-slave /\nC: mount tmpfs /a\n"
      "C: unshare mnt,user\nmount tmpfs /a\numount /a\nC: umount /a\n";
  const auto as_it_is = [](State&, State&) {};
  KernelTraits traits = KernelTraits::contract();
  CHECK_FALSE(ask("covered-stays-covered", text, as_it_is, {}, false, traits).is_broken);
  traits.arrival_unlocks_cover = true;
  CHECK(ask("covered-stays-covered", text, as_it_is, {}, false, traits).is_broken);
  const laws::Quirks quirk{.arrival_unlocks_cover = true};
  CHECK_FALSE(ask("covered-stays-covered", text, as_it_is, quirk, false, traits).is_broken);
}

TEST_CASE("one umount may take the lock off two mounts that lie on each other") {
  const std::string_view text =
      "mkdir /a\nmount tmpfs /a\nmake-shared /\nspawn D\nunshare mnt\nmkdir /a/b\n"
      "D: mount tmpfs /a/b\numount /a\nbind /a /a\nD: unshare mnt,user\numount /a\n"
      "D: umount /a detach\n";
  const auto as_it_is = [](State&, State&) {};
  CHECK_FALSE(ask("covered-stays-covered", text, as_it_is).is_broken);
}

TEST_CASE("locks that were made in a state too large to be asked are not taken for none") {
  std::string text =
      "make-shared /\nmkdir /a\nmount tmpfs /a\nmkdir /a/x\nmkdir /a/y\nmount tmpfs /a/x\n"
      "mkdir /m\nmount tmpfs /m\nmkdir /m/d\n";
  for (std::size_t i = 0; i < laws::mounts_asked_max / 2; ++i) text += "mount tmpfs /m/d\n";
  text += "spawn B\nB: unshare user,mnt\nB: mount tmpfs /a/y\numount /m detach\n";
  const auto as_it_is = [](State&, State&) {};
  const std::string locked_copy_stays = text + "umount /a detach\n";
  const Asked asked = ask("umount-goes-where-mounting-goes", locked_copy_stays, as_it_is);
  CHECK(asked.was_asked);
  CHECK_FALSE(asked.is_broken);
}

TEST_CASE("a mark that was made from a removed directory is not taken for none") {
  const std::string_view text =
      "fsmount h tmpfs\nmkdir /b\nmove_mount @h /b\npivot_root /b /b\nmkdir /a\nmkdir /a/a\n"
      "chdir /a/a\nrmdir /a/a\numount ../.. expire\numount / expire\n";
  CHECK_FALSE(ask("expiry-needs-a-mark", text, [](State&, State&) {}).is_broken);
}

TEST_CASE("a locked mount is locked as well on one that arrived beneath it") {
  const std::string_view text =
      "mkdir /a\nmkdir /a/a\nmount tmpfs /a/a\nmkdir /a/a/a\nmount tmpfs /a/a/a\nmake-rshared /\n"
      "spawn B\nmkdir /a/b\nmount tmpfs /a/b\nmake-private /a/b\nmkdir /a/b/a\nmount tmpfs /a/b/a\n"
      "mkdir /a/a/a/a\nmount tmpfs /a/a/a/a\nunshare mnt,user\n"
      "B: move_mount /a/b/a /a/a/a/a beneath\nmake-private /a/a/a\nB: umount /a/a detach\n";
  CHECK_FALSE(ask("umount-goes-where-mounting-goes", text, [](State&, State&) {}).is_broken);
}

TEST_CASE("a lock is not forgotten in a copy that was a detached tree first") {
  const std::string_view text =
      "privilege: root\nmake-shared /\nmkdir /a\nmount tmpfs /a\nmkdir /a/a\nmount tmpfs /a/a\n"
      "spawn B\nunshare mnt\nB: make-rslave /\nB: make-rshared /\nspawn C\nB: spawn D\n"
      "D: unshare mnt,user\nC: setns D mnt\nmkdir /a/b\nC: open_tree h / clone,recursive\n"
      "C: move_mount @h /\nC: fchdir h\nC: pivot_root . /\nC: mount tmpfs /a/b\n"
      "B: umount /a detach\numount / detach\n";
  const auto as_it_is = [](State&, State&) {};
  CHECK_FALSE(ask("umount-goes-where-mounting-goes", text, as_it_is).is_broken);
}

TEST_CASE("a lock is not forgotten because a directory above it was renamed") {
  const std::string_view text =
      "privilege: root\nmkdir /a\nmkdir /a/a\nmount tmpfs /a/a\nmake-shared /\nspawn F\n"
      "F: unshare mnt,user\nrename /a /b\numount / detach\n";
  const auto as_it_is = [](State&, State&) {};
  CHECK_FALSE(ask("umount-goes-where-mounting-goes", text, as_it_is).is_broken);
}

TEST_CASE("what a peer in a detached tree does to its slaves is excused, shown or not") {
  const std::string_view text =
      "make-shared /\nspawn B\nunshare mnt\nopen_tree k / clone\nmake-slave /\nB: mount tmpfs /\n";
  KernelTraits traits = no_quirks();
  traits.starves_slaves_of_detached = true;
  const auto as_it_is = [](State&, State&) {};
  const auto as_observed = [](State& before, State& after) {
    for (State* state : {&before, &after}) {
      state->shows_all = false;
      std::erase_if(state->mounts, [](const MountState& mount) { return mount.detached; });
    }
  };
  const laws::Quirks quirk{.starves_slaves_of_detached = true};
  for (const Alter& alter : {Alter(as_it_is), Alter(as_observed)}) {
    CHECK(ask("receivers-receive", text, alter, {}, false, traits).is_broken);
    CHECK_FALSE(ask("receivers-receive", text, alter, quirk, false, traits).is_broken);
  }
}

// What is mounted on a directory that was renamed out of what its mount shows: the kernel lists no
// place for it. (corpus/regressions/*-without-a-path.scn ask it of the kernel.)
TEST_CASE("of mounts without a path nothing is asked that goes by paths") {
  const auto as_listed = [](State& before, State& after) {
    for (State* state : {&before, &after}) {
      for (MountState& mount : state->mounts) {
        if (mount.place.starts_with("/d")) mount.place.clear();
      }
    }
  };
  constexpr std::string_view copied =
      "mkdir /c\nmkdir /c/a\nmkdir /c/b\nbind /c /c/b\nchdir /c/b/a\nrename /c/a /d\n"
      "mount tmpfs .\nunshare mnt\n";
  CHECK_FALSE(ask("namespace-is-copied", copied, as_listed).is_broken);
}

TEST_CASE("what is mounted where a umount takes something away goes, locked or not") {
  const std::string_view text =
      "mkdir /a\nmount tmpfs /a\nmake-rshared /\nspawn B\nB: unshare mnt,user\numount /a\n";
  CHECK_FALSE(ask("umount-goes-where-mounting-goes", text, [](State&, State&) {}).is_broken);
  const auto locked_one_stays = [](State& before, State& after) {
    after.mounts.push_back(on(before, "/a", 1));
  };
  CHECK(ask("umount-goes-where-mounting-goes", text, locked_one_stays).is_broken);
}

TEST_CASE("no mount keeps access times in two ways, not even if asked for") {
  const std::string_view text = "mount_setattr / +strictatime\n";
  CHECK_FALSE(ask("attributes-are-as-asked", text, [](State&, State&) {}).is_broken);
  const auto both = [](State& before, State& after) {
    before.mounts[0].flags = after.mounts[0].flags = {MountFlag::noatime, MountFlag::strictatime};
  };
  CHECK(ask("attributes-are-as-asked", text, both).is_broken);
}

constexpr std::string_view loses_unbindable =
    "mkdir /a\nspawn B\nB: make-unbindable /\nB: unshare mnt\nchdir /\n";

TEST_CASE("a law that kernel and model break alike is a result, minimized to the law") {
  TrialSettings settings{.traits = no_quirks(), .cross_check_every = 1};
  settings.traits->namespace_copy_loses_unbindable = true;
  settings.law_quirks = laws::Quirks{};
  settings.asks_kernel = false;
  auto trial = Trial::make(settings);
  REQUIRE(trial);
  const Scenario scenario = scenario_of(loses_unbindable);
  const TrialResult broken = trial->run(scenario);
  CHECK(broken.kind == Kind::broken_law);
  CHECK(broken.step == 4);
  REQUIRE(broken.law != nullptr);
  CHECK(broken.law->name == "namespace-is-copied");
  CHECK(broken.reason.starts_with("law namespace-is-copied is broken by the model at step 4: "));
  const Minimized small = minimize(*trial, scenario, broken);
  CHECK(print(small.scenario) == "make-unbindable /\nunshare mnt\n");
  settings.law_quirks->namespace_copy_loses_unbindable = true;
  CHECK(Trial::make(settings)->run(scenario).kind == Kind::agree);
}

TEST_CASE("the kernel's states are asked where they are read after each step") {
  if (!runs_here()) return;
  const Scenario scenario = scenario_of("mkdir /a\nmount tmpfs /a\nmake-shared /a\n");
  const auto asked = [&](bool every_step) {
    auto trial = Trial::make();
    REQUIRE(trial);
    CHECK(trial->run(scenario, {.every_step = every_step}).kind == Kind::agree);
    return trial->laws_asked()[number_of("mount-is-new")];
  };
  CHECK(asked(false) == 1);
  // Without listmount, mountinfo decides, which may not show all.
  if (!Trial::make()->observer().has(Source::listmount)) return not_run("without listmount");
  CHECK(asked(true) == 2);
}

}  // namespace
}  // namespace pivotcheck

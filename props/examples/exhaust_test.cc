// SPDX-License-Identifier: Apache-2.0
// exhaust_test.cc: the parts of exhaustive search: spaces, canonical states, the set, the journal,
// and what a state leads to. `props/equal_states.cc` asks whether states that are held equal are.
#include <unistd.h>

#include <cstdio>
#include <set>

#include "check/exhaust/canonical_state.h"
#include "check/exhaust/expander.h"
#include "check/exhaust/journal.h"
#include "check/exhaust/space.h"
#include "check/exhaust/state_set.h"
#include "check/exhaust/symmetry.h"
#include "examples.h"
#include "model/predict.h"

namespace pivotcheck::exhaust {
namespace {

constexpr std::size_t set_bytes = 64 * 1024;

model::World world_of(std::string_view text) {
  return predict(scenario_of(text), KernelTraits{}).world;
}

StateHash hash_of(std::string_view text, bool orders_count = true) {
  return StateEncoder(orders_count).hash(world_of(text));
}

Space space_of(std::string_view layout, std::string_view alphabet, int tasks = 1) {
  return make_space(*find_layout(layout), Privilege::root, alphabet, tasks).value();
}

TEST_CASE("layouts: at most five places, and every step of the set-up succeeds") {
  for (const Layout& layout : layouts()) {
    INFO(layout.name);
    CHECK(layout.places.size() <= places_max);
    for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
      Scenario scenario = layout.set_up;
      scenario.privilege = privilege;
      for (const Verdict& verdict : predict(scenario, KernelTraits{}).verdicts) {
        CHECK(verdict.outcome.ok());
      }
    }
  }
}

TEST_CASE("layouts: of a scenario, the first about: has the places") {
  const auto layout = layout_of("own", scenario_of("title: one\nabout: / @h/x\nmkdir /a"));
  REQUIRE(layout);
  CHECK(layout->sentence == "one");
  CHECK(layout->places == std::vector<Path>{"/", Path("h", "/x")});
  CHECK(print(layout->set_up) == "mkdir /a\n");
  CHECK(!layout_of("own", scenario_of("mkdir /a")));
  CHECK(!layout_of("own", scenario_of("about: /1 /2 /3 /4 /5 /6\nmkdir /a")));
}

TEST_CASE("layouts: each place can be reached") {
  for (const Layout& layout : layouts()) {
    for (const Path& place : layout.places) {
      Scenario scenario = layout.set_up;
      scenario.steps.push_back({{TaskName{"A"}, Chdir{place}}, {}});
      CHECK_MESSAGE(predict(scenario, KernelTraits{}).verdicts.back().outcome.ok(), layout.name,
                    ": ", print(place));
    }
  }
}

TEST_CASE("alphabets: with five places propagation has 110 operations, none of them twice") {
  CHECK(space_of("two-peers", "propagation").operations.size() == 110);
  for (const Alphabet& alphabet : alphabets()) {
    const Space space = space_of("two-peers", alphabet.name);
    std::set<std::string> texts;
    for (std::size_t i = 0; i < space.operations.size(); ++i) {
      texts.insert(space.text(static_cast<Letter>(i)));
    }
    CHECK(texts.size() == space.operations.size());
  }
  const auto none = make_space(layouts().front(), Privilege::root, "none", 1);
  REQUIRE(!none);
  CHECK(none.error().what == "no alphabet: none");
}

TEST_CASE("a second task has the same operations, and is spawned where the layout has none") {
  const Space one = space_of("one-mount", "pivot");
  const Space two = space_of("one-mount", "pivot", 2);
  CHECK(two.operations.size() == 2 * one.operations.size());
  CHECK(two.set_up.steps.size() == one.set_up.steps.size() + 1);
  CHECK(two.text(static_cast<Letter>(one.operations.size())).starts_with("B: "));
}

TEST_CASE("states: equal where only indices and the order of work differ") {
  // What was mounted and is gone again leaves its index free.
  CHECK(hash_of("mkdir /a\nmount tmpfs /a") ==
        hash_of("mkdir /a\nmount tmpfs /a\numount /a\nmount tmpfs /a"));
  CHECK(hash_of("mkdir /a\nmkdir /b\nmount tmpfs /a\nmount tmpfs /b") ==
        hash_of("mkdir /b\nmkdir /a\nmount tmpfs /b\nmount tmpfs /a"));
  CHECK(hash_of("mkdir /a\nmkdir /b\nmount tmpfs /a\nmake-shared /a\nbind /a /b") ==
        hash_of("mkdir /a\nmkdir /b\nmount tmpfs /b\nmake-shared /b\nbind /b /a"));
  CHECK(hash_of("mkdir /a\nspawn B\nB: unshare mnt\nspawn C\nC: unshare mnt\nB: mount tmpfs /a\n"
                "C: mount tmpfs /a") ==
        hash_of("mkdir /a\nspawn B\nB: unshare mnt\nspawn C\nC: unshare mnt\nC: mount tmpfs /a\n"
                "B: mount tmpfs /a"));
}

// What no process sees, and a later step shows.
TEST_CASE("states: different where locks, marks, flags, relations or tasks are") {
  const std::string base = "mkdir /a\nmkdir /b\nmount tmpfs /a\nmkdir /a/x\nmake-shared /a\n";
  std::set<StateHash> hashes{hash_of(base)};
  const std::vector<std::string> others{
      "umount /a expire",
      "remount /a ro",
      "make-private /a",
      "make-unbindable /a",
      "bind /a /b",
      "bind /a /b\nmake-slave /b",
      "bind /a /b\nmake-slave /b\nmake-shared /b",
      "bind /a/x /b",
      "mount ramfs /b",
      "chdir /a",
      "chroot /a",
      "open h /a",
      "open h /b",
      "open h /a\numount /a detach",
      "open h /a\nopen k /a",
      "open_tree h /a clone",
      "spawn B",
      "spawn B\nB: unshare mnt",
      "spawn B\nB: unshare user",
      "spawn B\nB: unshare mnt,user",
      "spawn B\nB: unshare mnt,user\nB: limit mnt",
      "dropcap sys_admin",
      "chmod /a 0700",
      "rmdir /b",
      "touch /f",
  };
  for (const std::string& more : others) {
    CHECK_MESSAGE(hashes.insert(hash_of(base + more)).second, more);
  }
}

TEST_CASE("states: the order within a peer group counts only where it is asked for") {
  const std::string base =
      "mkdir /a\nmkdir /b\nmkdir /c\nmount tmpfs /a\nmake-shared /a\nbind /a /b\n";
  const std::string after_a = base + "bind /a /c";
  const std::string after_b = base + "bind /b /c";
  CHECK(hash_of(after_a, false) == hash_of(after_b, false));
  CHECK(hash_of(after_a, true) != hash_of(after_b, true));
}

TEST_CASE("names that can be exchanged: those of places that have as many names, of one length") {
  const auto names_of = [](std::string_view set_up, const std::vector<Path>& places) {
    return exchangeable_names(scenario_of(set_up), places);
  };
  const std::vector<Path> twins{"/", "/a", "/b", "/a/x", "/b/x"};
  CHECK(names_of("mkdir /a", twins) == std::vector<Names>{{{"a", "a"}, {"b", "b"}, {"x", "x"}},
                                                          {{"a", "b"}, {"b", "a"}, {"x", "x"}}});
  CHECK(names_of("symlink a /b", twins) == std::vector<Names>{{}});
  CHECK(names_of("", {"/a", "/b", "/c"}).size() == 6);
  CHECK(names_of("", {"/a", "/b", "/a/x"}).size() == 1);
  CHECK(names_of("", {"/a", "/bb"}).size() == 1);
  CHECK(names_of("", {"/a", "a"}).size() == 1);
  CHECK(names_of("", {"/a", Path("h", "/a")}).size() == 1);
  CHECK(names_of("", {"/a", "/."}).size() == 1);
  CHECK(renamed("/a/b//aa", {{"a", "b"}, {"b", "a"}}) == "/b/a//aa");
}

// The states that a search meets, within two operations; and what they are up to these renamings.
struct Met {
  std::set<StateHash> states;
  std::set<StateHash> up_to_renaming;
};
Met search(const Space& space, const std::vector<Renaming>& renamings) {
  Met met;
  StateEncoder encoder(false, renamings);
  Expander expander(space, KernelTraits{}, {.asks_laws = false});
  std::vector<std::vector<Letter>> sequences{{}};
  for (int length = 1; length <= 2; ++length) {
    std::vector<std::vector<Letter>> longer;
    for (const std::vector<Letter>& sequence : sequences) {
      for (const Transition& transition : expander.expand(sequence)) {
        if (transition.reach != Reach::changed) continue;
        if (!met.states.insert(transition.hash).second) continue;
        std::vector<Letter>& next = longer.emplace_back(sequence);
        next.push_back(transition.letter);
        met.up_to_renaming.insert(encoder.hash(predict(space.program(next), KernelTraits{}).world));
      }
    }
    sequences = std::move(longer);
  }
  return met;
}

TEST_CASE("symmetry: fewer states are met, and none is lost") {
  struct Case {
    const char* layout;
    int tasks;
    std::size_t symmetries;  // names a and b, tasks A and B, both at once
  };
  for (const auto& [layout, tasks, symmetries] :
       {Case{"two-peers", 1, 1}, Case{"two-namespaces", 2, 1}, Case{"master-and-slave", 2, 3}}) {
    INFO(layout);
    Space space = space_of(layout, "propagation", tasks);
    CHECK(space.symmetries.size() == symmetries);
    const std::vector<Renaming> renamings = space.renamings();
    const Met some = search(space, renamings);
    space.symmetries.clear();
    const Met all = search(space, renamings);
    CHECK(some.states.size() < all.states.size());
    CHECK(some.states == some.up_to_renaming);
    CHECK(some.up_to_renaming == all.up_to_renaming);
  }
}

TEST_CASE("symmetry: of two operations that are one, renamed, one is tried") {
  const Space space = space_of("two-peers", "propagation");
  Expander expander(space, KernelTraits{}, {});
  for (const Transition& transition : expander.expand({})) {
    const std::string text = space.text(transition.letter);
    if (text == "umount /a" || text == "bind /a /b") CHECK(transition.reach == Reach::changed);
    if (text == "umount /b" || text == "bind /b /a") CHECK(transition.reach == Reach::renamed);
  }
}

TEST_CASE("the set: each state is new once, and a full set says so") {
  auto set = StateSet::make(set_bytes);
  REQUIRE(set);
  std::uint64_t added = 0;
  auto result = StateSet::Added::is_new;
  // The other half counts as well.
  for (std::uint64_t i = 1; result != StateSet::Added::full; ++i) {
    for (const StateHash hash : {StateHash{i, i * 7}, StateHash{i, i * 7 + 1}}) {
      result = set->add(hash);
      REQUIRE(result != StateSet::Added::known);
      if (result == StateSet::Added::is_new) {
        ++added;
        REQUIRE(set->add(hash) == StateSet::Added::known);
      }
    }
    REQUIRE(i < set_bytes);
  }
  CHECK(set->size() == added);
  CHECK(set->contains({1, 7}));
  CHECK(!set->contains({set_bytes, 7}));
}

// A journal on disk that goes when the test ends.
struct JournalFile {
  std::string path =
      std::filesystem::temp_directory_path() / ("pivotcheck-journal-" + std::to_string(::getpid()));
  ~JournalFile() { std::remove(path.c_str()); }
};

Chunk chunk_of(std::uint32_t depth, Block block, std::vector<NewState> found) {
  Chunk chunk{
      .depth = depth, .block = block, .counts = {}, .found = std::move(found), .reached = {}};
  chunk.counts.states = block.end - block.begin;
  return chunk;
}

std::uint64_t states_counted(Journal& journal) {
  std::uint64_t counted = 0;
  REQUIRE(journal.read([&](const Chunk& chunk) { counted += chunk.counts.states; }));
  return counted;
}

TEST_CASE("the journal: what was appended is there again, and what was cut off is still to do") {
  const JournalFile file;
  {
    auto journal = Journal::open(file.path, "settings");
    REQUIRE(journal);
    REQUIRE(journal->append(chunk_of(0, {0, 1}, {{{1, 2}, {5}}, {{3, 4}, {6}}, {{5, 6}, {7}}})));
    REQUIRE(journal->append(chunk_of(1, {1, 2}, {{{7, 8}, {6, 9}}})));
    REQUIRE(journal->append(chunk_of(1, {0, 1}, {{{9, 9}, {5, 9}}})));
    CHECK(!Journal::open(file.path, "settings"));  // it is in use
  }
  std::filesystem::resize_file(file.path, std::filesystem::file_size(file.path) - 3);
  auto journal = Journal::open(file.path, "settings");
  REQUIRE(journal);
  CHECK(states_counted(*journal) == 2);
  CHECK(journal->states(1) == 3);
  CHECK(journal->states(2) == 1);
  const auto left = journal->blocks_left(1, 64);
  REQUIRE(left.size() == 2);
  CHECK(left[0].begin == 0);
  CHECK(left[0].end == 1);
  CHECK(left[1].begin == 2);
  CHECK(left[1].end == 3);
  const auto states = journal->states(1, {1, 3});
  REQUIRE(states);
  REQUIRE(states->size() == 2);
  CHECK(states->front().hash == StateHash{3, 4});
  CHECK(states->back().sequence == std::vector<Letter>{7});
  // The block is done again.
  REQUIRE(journal->append(chunk_of(1, {0, 1}, {{{9, 9}, {5, 9}}})));
  CHECK(states_counted(*journal) == 1);
  CHECK(journal->states(2) == 2);
}

TEST_CASE("the journal: that of another search is refused") {
  const JournalFile file;
  REQUIRE(Journal::open(file.path, "depth of this"));
  const auto other = Journal::open(file.path, "depth of that");
  REQUIRE(!other);
  CHECK(other.error().what == file.path + ": this is the journal of another search");
}

TEST_CASE("states: the order within a peer group counts where umounts go by it") {
  const auto first_state = [](const std::string& last_step, bool umounts_largest_set) {
    const auto layout = layout_of(
        "own", scenario_of("about: /\nmkdir /a\nmkdir /b\nmkdir /c\nmount tmpfs /a\nmake-shared /a\n"
                           "bind /a /b\n" + last_step));
    REQUIRE(layout);
    KernelTraits traits;
    traits.umounts_largest_set = umounts_largest_set;
    const Space space = make_space(*layout, Privilege::root, "propagation", 1).value();
    return Expander(space, traits, {}).first();
  };
  CHECK(first_state("bind /a /c", true) == first_state("bind /b /c", true));
  CHECK(first_state("bind /a /c", false) != first_state("bind /b /c", false));
}

TEST_CASE("a refused operation changes nothing, and what succeeds reaches a state") {
  const Space space = space_of("two-peers", "propagation");
  const Layout& layout = *find_layout("two-peers");
  Expander expander(space, KernelTraits{}, {.tries_renamed = true});
  for (const Transition& transition : expander.expand({})) {
    Scenario scenario = layout.set_up;
    scenario.privilege = Privilege::root;
    Program program = space.program(std::vector{transition.letter});
    const Prediction alone = predict(std::move(program), KernelTraits{});
    INFO(space.text(transition.letter));
    CHECK(alone.verdicts.back() == transition.verdict);
    const StateHash reached = StateEncoder(false, space.renamings()).hash(alone.world);
    CHECK(transition.broken == nullptr);
    if (transition.reach == Reach::refused) CHECK(reached == expander.first());
    if (transition.reach == Reach::changed) CHECK(reached == transition.hash);
  }
}

TEST_CASE("a refusal that changes an expiry mark reaches a state of its own") {
  const Space space = space_of("one-mount", "all");
  Expander expander(space, KernelTraits{}, {});
  bool is_marked = false;
  for (const Transition& transition : expander.expand({})) {
    if (space.text(transition.letter) != "umount /a expire") continue;
    is_marked = true;
    CHECK(transition.verdict.outcome.error == EAGAIN);
    CHECK(transition.reach == Reach::changed);
    CHECK(transition.hash != expander.first());
  }
  CHECK(is_marked);
}

TEST_CASE("worlds of too many mounts are left out") {
  const Space space = space_of("two-peers", "propagation");
  Expander expander(space, KernelTraits{}, {.mounts_max = 3});  // as many as there are
  for (const Transition& transition : expander.expand({})) {
    if (space.text(transition.letter) == "mount tmpfs /")
      CHECK(transition.reach == Reach::too_many);
    if (space.text(transition.letter) == "umount /a") CHECK(transition.reach == Reach::changed);
  }
}

}  // namespace
}  // namespace pivotcheck::exhaust

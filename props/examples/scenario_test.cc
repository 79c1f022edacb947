// SPDX-License-Identifier: Apache-2.0
// scenario_test.cc: the scenario format by example: what a text means, what is refused and where,
// and that every step reads back from its own text. Also the small things below it: names of errnos
// and of verbs, releases of kernels. That whole scenarios read back: text_properties.cc.
#include "scenario/scenario.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "base/release.h"
#include "check/gen/choices.h"
#include "op/op.h"
#include "op/outcome.h"
#include "scenario/program.h"

namespace pivotcheck {
namespace {

Scenario parsed(std::string_view text) {
  const auto result = parse(text);
  if (result) return *result;
  FAIL("does not parse: ", std::string(text), " at ", result.error().line, ":",
       result.error().column, ": ", result.error().what);
  return {};
}

// The only step of a text, or the last one.
ScenarioStep parsed_step(std::string_view text) {
  const Scenario scenario = parsed(text);
  REQUIRE(!scenario.steps.empty());
  return scenario.steps.back();
}

// "LINE:COLUMN" of what is wrong with a text, "fine" where nothing is.
std::string where_wrong(std::string_view text) {
  const auto result = parse(text);
  if (result) return "fine";
  CHECK(!result.error().what.empty());
  CHECK(std::ranges::all_of(result.error().what, [](char c) { return c >= 0x20 && c < 0x7F; }));
  return std::to_string(result.error().line) + ":" + std::to_string(result.error().column);
}

TEST_CASE("a scenario is headers, then steps, with comments and blank lines anywhere") {
  const Scenario scenario = parsed(
      "# a comment\n"
      "title: put_old on the root mount is refused   # and this is part of the title\n"
      "about: first\n"
      "\n"
      "about:\n"
      "privilege:\troot\r\n"
      "kernel: >=6.1 <7.0\n"
      "kernel: =6.12\n"
      "mkdir /new   # a comment\n"
      "  spawn B\n"
      "B:\tchdir \"/n\\x65w\"\n"
      "pivot_root /new / => EBUSY put-old-on-root-mount");
  CHECK(scenario.title == "put_old on the root mount is refused   # and this is part of the title");
  CHECK(scenario.about == std::vector<std::string>{"first", ""});
  CHECK(scenario.privilege == Privilege::root);
  using Relation = KernelCondition::Relation;
  CHECK(scenario.kernel ==
        std::vector<KernelCondition>{
            {.relation = Relation::greater_or_equal, .release = {{6, 1, 0}}, .parts = 2},
            {.relation = Relation::less, .release = {{7, 0, 0}}, .parts = 2},
            {.relation = Relation::equal, .release = {{6, 12, 0}}, .parts = 2}});
  REQUIRE(scenario.steps.size() == 4);
  CHECK(scenario.steps[0] ==
        ScenarioStep{.step = {.task = {"A"}, .op = Mkdir{"/new"}}, .stated = {}});
  CHECK(scenario.steps[2].step == Step{.task = {"B"}, .op = Chdir{"/new"}});
  CHECK(scenario.steps[3].stated == StatedOutcome{{EBUSY}, "put-old-on-root-mount"});
}

TEST_CASE("a scenario prints with its headers in order and its conditions on one line") {
  CHECK(print(parsed("trait: a_b=off \nkernel: >=6.1\nabout: why\nabout:\ntitle:  x \n"
                     "kernel:  <7.0.3 \ntrait: c=on\nprivilege: userns\nA: mkdir   /x=>ok\n")) ==
        "title: x\nabout: why\nabout:\nprivilege: userns\nkernel: >=6.1 <7.0.3\n"
        "trait: a_b=off c=on\nmkdir /x => ok\n");
  CHECK(print(Scenario{}).empty());
  CHECK(parsed("") == Scenario{});
  CHECK(parsed("\n\r\n  \t\n# nothing") == Scenario{});
}

TEST_CASE("the outcome mark ends a word, and quotes hide it") {
  CHECK(parsed_step("mkdir /a=>ENOENT").step.op == Op{Mkdir{"/a"}});
  CHECK(parsed_step("mkdir /a=>ENOENT").stated == StatedOutcome{{ENOENT}, ""});
  CHECK(parsed_step("mkdir \"/a\"=>ok").stated == StatedOutcome{});
  CHECK(parsed_step("mkdir \"/a=>ok\"").step.op == Op{Mkdir{"/a=>ok"}});
  CHECK(parsed_step("mkdir /a=b>c=").step.op == Op{Mkdir{"/a=b>c="}});
  CHECK(parsed_step("exit=>ok").stated == StatedOutcome{});
  CHECK(parsed_step("mkdir /a => EWOULDBLOCK").stated == StatedOutcome{{EAGAIN}, ""});
}

TEST_CASE("a comment begins at a '#' at the start of a line or after a blank, and not in quotes") {
  CHECK(parsed_step("mkdir /a#b").step.op == Op{Mkdir{"/a#b"}});
  CHECK(parsed_step("mkdir /a #b").step.op == Op{Mkdir{"/a"}});
  CHECK(parsed_step("mkdir \"/a #b\"").step.op == Op{Mkdir{"/a #b"}});
  CHECK(parsed_step("mkdir /a => ok # => ENOENT").stated == StatedOutcome{});
}

TEST_CASE("a path is a word taken as it is, or a quoted string with escapes") {
  CHECK(parsed_step("chdir a\\n\"b").step.op == Op{Chdir{"a\\n\"b"}});
  CHECK(parsed_step(R"(chdir "\"\\\n\t\x7f\xFf ")").step.op == Op{Chdir{"\"\\\n\t\x7f\xff "}});
  CHECK(parsed_step("chdir \"\"").step.op == Op{Chdir{""}});
  CHECK(parsed_step("chdir /a\r\n").step.op == Op{Chdir{"/a"}});
  CHECK(parsed_step("chdir /a\r").step.op == Op{Chdir{"/a\r"}});
}

TEST_CASE("a path that begins with '@' starts at a handle, quoted or not") {
  CHECK(parsed_step("chdir @h1").step.op == Op{Chdir{Path("h1", "")}});
  CHECK(parsed_step("bind @h/sub/ \"@g/a b\"").step.op ==
        Op{Bind{.source = {"h", "/sub/"}, .target = {"g", "/a b"}, .recursive = false}});
  CHECK(parsed_step("chdir \"\\x40h\"").step.op == Op{Chdir{Path("h", "")}});
  CHECK(parsed_step("chdir ./@h").step.op == Op{Chdir{"./@h"}});
  CHECK(parsed_step("symlink @H /l").step.op == Op{Symlink{.target = {"@H"}, .path = "/l"}});
  CHECK(print(Path("h", "")) == "@h");
  CHECK(print(Path("h", "/a b")) == "\"@h/a b\"");
  CHECK(print(Path("")) == "\"\"");
  CHECK(print(Path("#x")) == "\"#x\"");
  CHECK(print(Path("/x#")) == "/x#");
  CHECK(print(Path("/\xc3\xa9")) == "\"/\\xC3\\xA9\"");
}

TEST_CASE("options are comma-separated, in any order, and may be left out") {
  CHECK(parsed_step("mount ramfs /m").step.op ==
        Op{Mount{.type = FilesystemType::ramfs, .path = "/m", .flags = {}}});
  CHECK(parsed_step("mount tmpfs /m noatime,ro,ro").step.op ==
        Op{Mount{.path = "/m", .flags = {MountFlag::ro, MountFlag::noatime}}});
  CHECK(parsed_step("umount /m expire,detach => EINVAL").step.op ==
        Op{Umount{.path = "/m", .flags = {UmountFlag::detach, UmountFlag::expire}}});
  CHECK(parsed_step("remount /m rw").step.op == Op{Remount{.path = "/m", .flags = {}}});
  CHECK(parsed_step("remount /m nodev").step.op ==
        Op{Remount{.path = "/m", .flags = {.flags = {MountFlag::nodev}}}});
  CHECK(parsed_step("setns A user,mnt").step.op ==
        Op{Setns{.task = {"A"}, .kinds = {NamespaceKind::mnt, NamespaceKind::user}}});
}

TEST_CASE("a mode is octal digits") {
  CHECK(parsed_step("chmod /a 0").step.op == Op{Chmod{.path = "/a", .mode = {0}}});
  CHECK(parsed_step("chmod /a 755").step.op == Op{Chmod{.path = "/a", .mode = {0755}}});
  CHECK(parsed_step("chmod /a 07777").step.op == Op{Chmod{.path = "/a", .mode = {07777}}});
  CHECK(print(parsed("chmod /a 755")) == "chmod /a 0755\n");
}

// In the text a '|' stands where what is wrong is reported; nothing is wrong with one without it.
void check_reported(std::string_view marked) {
  std::string text(marked);
  std::string expected = "fine";
  if (const std::size_t at = text.find('|'); at != std::string::npos) {
    const std::string before = text.substr(0, at);
    expected = std::to_string(std::ranges::count(before, '\n') + 1) + ":" +
               std::to_string(at - (before.rfind('\n') + 1) + 1);
    text.erase(at, 1);
  }
  CAPTURE(marked);
  CHECK(where_wrong(text) == expected);
}
void check_reported_each(auto... marked) { (check_reported(marked), ...); }

TEST_CASE("what is wrong in a header is reported with its place") {
  check_reported_each("|Title: x\n", "|colour: red\n", "|mkdir: /x\n", "|b: mkdir /x\n",
                      "title:|x\n", "title: x\n|title: y\n", "mkdir /x\n\n  |title: y\n",
                      "privilege: userns\n|privilege: userns\n", "privilege:  |nobody\n",
                      "privilege: |root # really\n", "privilege:|\n", "privilege:  |\r\n",
                      "kernel:|\n", "kernel: |6.1\n", "kernel: >=6.1 \t|<7\n",
                      "kernel: |>=6.1.2.3\n", "kernel: |>= 6.1\n", "kernel: |=>6.1\n",
                      "kernel: |==6.1\n", "kernel: >=6.1 |# or so\n", "kernel: |>=6.-1\n",
                      "kernel: |>=6.1-rc1\n", "kernel: |<99999999999.1\n",
                      "trait:|\n", "trait: a=on \t|b\n", "trait: |A=on\n", "trait: |a=yes\n",
                      "trait: |=on\n", "trait: a=on |# or so\n");
}

TEST_CASE(
    "a step's unknown verb, wrong argument and superfluous argument are reported where they "
    "begin") {
  check_reported_each(
      "|mkdirr /x\n", "|MKDIR /x\n", "|\"mkdir\" /x\n", "#\n\n  |frob\n", "|: mkdir /x\n",
      "A:|mkdir /x\n", "A:|# comment\n", "open_tree |/x h\n", "open_tree h /x clone |recursive\n",
      "open_tree h /x clone,|beneath\n", "move_mount /x /y |clone\n",
      "move_mount @h @k beneath,|\n", "mount_setattr /x |ro\n", "mount_setattr /x +ro,|+frob\n",
      "mount_setattr /x +ro,-nodev,|-ro\n", "mount_setattr /x -ro,|+ro\n",
      "mount_setattr /x shared,|slave\n", "mount_setattr /x shared,shared,+ro,+ro recursive\n",
      "mount_setattr /x +relatime,|keepatime\n", "mount_setattr /x keep-atime,keep-atime\n",
      "mount_setattr /x |+\n", "mount_setattr /x +ro |rec\n",
      "mount_setattr /x +ro |\"recursive\"\n", "mount_setattr /x +ro recursive |/y\n",
      "mount_setattr /x|\n", "fsmount |@h tmpfs\n", "fsmount h |ext4\n", "mkdir /x |/y\n",
      "mkdir /x |\"/y\" => ok\n", "exit |now\n", "mkdir |@\n", "mkdir |@H/x\n", "mkdir |\"@h x\"\n",
      "bind /a |@h_\n", "open |@h /x\n", "open |\"h\" /x\n", "close |H\n", "chmod /x |0788\n",
      "chmod /x |10000\n", "chmod /x |77777777777777777777777\n", "chmod /x |u+x\n",
      "mount |ext4 /x\n", "mount tmpfs /x ro,|rw\n", "mount tmpfs /x ro,|\n",
      "mount tmpfs /x |,ro\n", "mount tmpfs /x ro,|,nodev\n", "mount tmpfs /x |\"ro\"\n",
      "mount tmpfs /x ro |nodev\n", "remount /x ro,|rw\n", "remount /x rw,|ro\n",
      "remount /x |rx\n", "umount /x detach,|force\n", "unshare mnt,|pid\n",
      "dropcap sys_admin,|chown\n", "setns A |net\n", "spawn |b\n", "spawn |@B\n");
}

TEST_CASE("what is missing is one past the end of its line") {
  check_reported_each("mkdir|", "mkdir|\r\n", "mkdir  |\n", "mkdir # no path|\n", "mkdir => ok|\n",
                      "=> ok|\n", "A:|\n", "A: # nothing|\n", "\nbind /a|\n", "mount tmpfs|\n",
                      "remount /x|\n", "unshare|\n", "setns A|\n", "symlink|\n", "mkdir /x =>|\n",
                      "mkdir /x => |\n", "mkdir \"/x|\n", "mkdir \"/x\\|\n", "mkdir \"/x\\n|\n",
                      "mkdir \"/x\\x4|\n");
}

TEST_CASE("a faulty quoted string, zero byte or outcome is reported at its byte") {
  using namespace std::string_view_literals;
  check_reported_each(
      "mkdir \"/x\"|y\n", "mkdir \"/x\"|# c\n", "mkdir \"\"|\"\"\n", R"(mkdir "/x|\q")",
      R"(mkdir "/x|\x0g")", R"(mkdir "/x|\x4")", R"(mkdir "/\n|\x00")", "mkdir /x\n# a|\0b\n"sv,
      "title: |\0\n"sv, "frob /x|\0"sv, "mkdir \"|\0\""sv, "mkdir /x => |EFROB\n",
      "mkdir /x => |OK\n", "mkdir /x => |\"ok\"\n", "mkdir /x => |22\n", "mkdir /x =>|#\n",
      "mkdir /x => |=> ok\n", "mkdir /x => ok |=> ok\n", "mkdir /x => ok |fine\n",
      "mkdir /x => EPERM |Rule\n", "mkdir /x => EPERM |-r\n", "mkdir /x => EPERM |\"rule\"\n",
      "mkdir /x => EPERM rule |more\n", "mkdir /x => EPERM rule|=>ok\n");
}

TEST_CASE("a task is named only between its spawn and its exit, and its name is given once") {
  check_reported_each("  |B: mkdir /x\nspawn B\n", "setns |B mnt\n", "spawn |A\n",
                      "spawn B\nspawn |B\n", "spawn B\nB: exit\n|B: mkdir /x\n",
                      "spawn B\nB: exit\nsetns |B mnt\n", "spawn B\nB: exit\nspawn |B\n",
                      "|B: spawn B\n", "spawn B\nexit\n |mkdir /x\n",
                      "spawn B\nexit\nB: mkdir /x\n|A: mkdir /x\n",
                      "spawn B\nB: spawn C1\nB: exit\nC1: setns C1 mnt\nC1: setns A mnt\n");
}

TEST_CASE("each verb names one prototype, and its name is in the format's table") {
  std::string verbs;
  for (const Op& each : prototypes()) verbs.append(verb(each)).append(" ");
  CHECK(verbs ==
        "mkdir rmdir touch unlink rename symlink chmod mount bind rbind move make-shared "
        "make-private make-slave make-unbindable make-rshared make-rprivate make-rslave "
        "make-runbindable remount umount pivot_root chroot chdir open fchdir close spawn exit "
        "unshare setns dropcap limit open_tree move_mount mount_setattr fsmount ");
}

template <class Container>
auto pick(Choices& dice, const Container& from) {
  return from[dice.below(static_cast<std::uint32_t>(std::size(from)))];
}

// Bytes that the syntax gives a meaning to, and any others, but no zero byte.
std::string awkward_text(Choices& dice) {
  static constexpr std::string_view awkward = " \t\"\\#=>@:/,.\n\r\x7f\x01\x1f\x80\xff ax";
  std::string text;
  for (std::uint32_t left = dice.below(6); left > 0; --left) {
    text += dice.chance(50) ? pick(dice, awkward) : static_cast<char>(1 + dice.below(255));
  }
  return text;
}

void fill(Choices& dice, Path& path) {
  path.text = awkward_text(dice);
  if (dice.chance(50)) {
    path.handle = dice.chance(50) ? "h" : "h2x";
    if (dice.chance(50)) path.text.clear();
    if (!path.text.empty()) path.text.insert(0, "/");
  } else if (path.text.starts_with('@')) {
    path.text.insert(0, "./");
  }
}
void fill(Choices& dice, LinkTarget& target) { target.text = awkward_text(dice); }
void fill(Choices& dice, Mode& mode) { mode.bits = dice.below(010000); }
void fill(Choices& dice, FilesystemType& type) {
  type = static_cast<FilesystemType>(dice.below(2));
}
void fill(Choices& dice, HandleName& handle) { handle.text = dice.chance(50) ? "h" : "h2x"; }
void fill(Choices&, TaskName& task) { task.text = "A"; }
template <class Enum>
void fill(Choices& dice, FlagSet<Enum>& flags) {
  flags.set(static_cast<Enum>(dice.below(FlagNames<Enum>::names.size())));
  flags.set(static_cast<Enum>(dice.below(FlagNames<Enum>::names.size())));
}
void fill(Choices& dice, RemountFlags& remount) {
  if (dice.chance(50)) fill(dice, remount.flags);
}

void fill(Choices& dice, RecursiveWord& word) { word.on = dice.chance(50); }
void fill(Choices& dice, AttributeChange& change) {
  fill(dice, change.set);
  if (dice.chance(50)) fill(dice, change.clear);
  change.clear = change.clear.without(change.set);
  if (dice.chance(50)) change.propagation = static_cast<Propagation>(dice.below(4));
}

Op random_op(Choices& dice, const Op& prototype) {
  Op op = prototype;
  std::visit(
      [&dice]<class Typed>(Typed& typed) {
        Typed::fields(typed, [&dice](auto& argument) { fill(dice, argument); });
      },
      op);
  if (auto* const mount = std::get_if<Mount>(&op); mount && dice.chance(50)) mount->flags = {};
  if (auto* const umount = std::get_if<Umount>(&op); umount && dice.chance(50)) umount->flags = {};
  return op;
}

// A scenario of two tasks; text_properties.cc has those of more, with headers of any bytes.
std::string random_text(Choices& dice) {
  std::string text = "title: x # y\nabout:\nprivilege: root\nkernel: >=6.1 <7.0.3\nspawn B\n";
  for (std::uint32_t left = dice.below(20); left > 0; --left) {
    const Op op = random_op(dice, pick(dice, prototypes()));
    if (std::holds_alternative<Spawn>(op) || std::holds_alternative<Exit>(op)) continue;
    text += print(Step{.task = {dice.chance(50) ? "A" : "B"}, .op = op});
    text += dice.chance(50) ? "\n" : " => EPERM a-rule-2\n";
  }
  return text + (dice.chance(50) ? "B: exit\n" : "");
}

TEST_CASE("a step of each verb reads back from its text, whatever bytes its paths have") {
  SeededChoices dice(1);
  for (const Op& prototype : prototypes()) {
    for (int round = 0; round < 300; ++round) {
      const ScenarioStep step{.step = {.task = {"A"}, .op = random_op(dice, prototype)},
                              .stated = {}};
      if (std::holds_alternative<Spawn>(step.step.op)) continue;  // A can't be spawned again
      const std::string text = print(step.step);
      CAPTURE(text);
      REQUIRE(parsed_step(text) == step);
      REQUIRE(parsed_step(text + " => EPERM x\r\n").step == step.step);
    }
  }
  CHECK(print(parsed("spawn B => ok\nB: exit\n")) == "spawn B => ok\nB: exit\n");
}

TEST_CASE("a path and the text of a link may have each byte except zero") {
  for (int byte = 1; byte < 256; ++byte) {
    for (const std::string around : {"", "/", "x", "=", ">"}) {
      const std::string text = around + static_cast<char>(byte) + around;
      const Step link{.task = {"A"}, .op = Symlink{.target = {text}, .path = "/" + text}};
      CAPTURE(print(link));
      REQUIRE(parsed_step(print(link)).step == link);
    }
  }
}

// What a text means, it still means when printed; an error lies inside the text.
void check_any_text(const std::string& text) {
  CAPTURE(text);
  const auto result = parse(text);
  if (result) {
    REQUIRE(parsed(print(*result)) == *result);
    return;
  }
  const auto lines = static_cast<int>(std::ranges::count(text, '\n')) + 1;
  REQUIRE(result.error().line >= 1);
  REQUIRE(result.error().line <= lines);
  REQUIRE(result.error().column >= 1);
  REQUIRE(result.error().column <= static_cast<int>(text.size()) + 1);
}

TEST_CASE("any bytes at all are read or refused") {
  SeededChoices dice(2);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::uint32_t left = dice.below(40); left > 0; --left) {
      text += static_cast<char>(dice.below(256));
    }
    check_any_text(text);
  }
}

TEST_CASE("a valid text with any bytes changed is read or refused") {
  using namespace std::string_view_literals;
  static constexpr std::string_view awkward = " \t\"\\#=>@:/,.\n\r\0AaBx0"sv;
  SeededChoices dice(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text = random_text(dice);
    REQUIRE(print(parsed(text)) == text);
    for (std::uint32_t left = 1 + dice.below(3); left > 0 && !text.empty(); --left) {
      const std::uint32_t at = dice.below(static_cast<std::uint32_t>(text.size()));
      switch (dice.below(4)) {
        case 0: text.erase(at, 1 + dice.below(4)); break;
        case 1: text.insert(at, 1, pick(dice, awkward)); break;
        case 2: text.insert(at, text.substr(dice.below(at + 1), dice.below(12))); break;
        default: text[at] = static_cast<char>(dice.below(256)); break;
      }
    }
    check_any_text(text);
  }
}

TEST_CASE(
    "a condition on the kernel compares leading numbers, and '=N.N' means every patch of it") {
  const auto holds_on = [](const std::string& condition, std::string_view running) {
    return holds(parsed("kernel: " + condition).kernel.at(0), leading_release(running));
  };
  CHECK(holds_on(">=6.1", "6.1.0-13-amd64"));
  CHECK(holds_on(">=6.1", "6.12.3"));
  CHECK_FALSE(holds_on(">=6.1", "5.19"));
  CHECK(holds_on("=6.12", "6.12.117-cloud"));
  CHECK_FALSE(holds_on("=6.12", "6.13.0"));
  CHECK_FALSE(holds_on("=6.12.0", "6.12.117"));
  CHECK(holds_on(">6.12", "6.12.1"));
  CHECK_FALSE(holds_on(">6.12", "6.12.0"));
  CHECK_FALSE(holds_on("<=6.12", "6.12.1"));
  CHECK(holds_on("<=6.18", "6.18-rc2"));
  CHECK(holds_on("<7.0", "6.99.99"));
  CHECK_FALSE(holds_on("<7.0", "7.0.0"));
}

TEST_CASE("a release is its leading numbers, and a missing one is 0") {
  CHECK(leading_release("6.12.117-cloud") == Release{{6, 12, 117}});
  CHECK(leading_release("6.18-rc2") == Release{{6, 18, 0}});
  CHECK(leading_release("6.1.2.3") == Release{{6, 1, 2}});
  CHECK(leading_release("linux") == Release{});
  CHECK(to_string(leading_release("6.18-rc2")) == "6.18.0");
  CHECK(parse_release("6.12") == Release{{6, 12, 0}});
  CHECK(parse_release("6.12.3") == Release{{6, 12, 3}});
  for (const char* const other : {"", "6", "6.", "6.1.", "6.1.2.", "6.1.2.3", "6.1-rc1", "-6.1",
                                  "6.+1", " 6.1", "6..1", "6.99999999999"}) {
    CAPTURE(other);
    CHECK_FALSE(parse_release(other).has_value());
  }
}

TEST_CASE("names are resolved to numbers: tasks by their making, handles by first mention") {
  const auto scenario = parse("open h /a\nspawn B\nB: open k @h/b\nspawn C\nsetns B mnt\n");
  REQUIRE(scenario);
  const auto program = resolve(*scenario);
  REQUIRE(program);
  CHECK(program->tasks == std::vector<std::string>{"A", "B", "C"});
  CHECK(program->handles == std::vector<std::string>{"h", "k"});
  CHECK(program->steps[2].task == 1);
  const Open& open = std::get<Open>(program->steps[2].op);
  CHECK(open.handle.slot == 1);
  CHECK(open.path.slot == 0);
  CHECK(program->steps[3].subject == 2);
  CHECK(program->steps[4].subject == 1);
  for (std::size_t i = 0; i < program->steps.size(); ++i) {
    CHECK(step_of(*program, i) == scenario->steps[i].step);
  }
  Scenario nobody;
  nobody.steps.push_back({{TaskName{"B"}, Mkdir{"/a"}}, {}});
  CHECK(resolve(nobody).error().what == "step 1: no task B");
  Scenario twice;
  twice.steps.push_back({{TaskName{"A"}, Spawn{TaskName{"A"}}}, {}});
  CHECK(resolve(twice).error().what == "step 1: a second task A");
}

TEST_CASE("an errno goes by its name, both ways") {
  CHECK(errno_name(EINVAL) == "EINVAL");
  CHECK(errno_name(EAGAIN) == "EAGAIN");
  CHECK(errno_name(EHWPOISON) == "EHWPOISON");
  CHECK(errno_name(4242) == "errno 4242");
  CHECK(errno_name(41) == "errno 41");
  CHECK(errno_name(-1) == "errno -1");
  CHECK(to_string(Outcome{}) == "ok");
  CHECK(to_string(Outcome{ELOOP}) == "ELOOP");
  CHECK(errno_number("ENOTSUP") == EOPNOTSUPP);
  CHECK_FALSE(errno_number("").has_value());
  CHECK_FALSE(errno_number("einval").has_value());
  CHECK_FALSE(errno_number("errno 41").has_value());
  int named = 0;
  for (int error = 1; error < 200; ++error) {
    const std::optional<int> back = errno_number(errno_name(error));
    if (!back) continue;
    ++named;
    CHECK(*back == error);
  }
  CHECK(named == 131);  // 1 to 133, but 41 and 58
}

}  // namespace
}  // namespace pivotcheck

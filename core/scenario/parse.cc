// SPDX-License-Identifier: Apache-2.0
// parse.cc: a scenario from text. Line by line, word by word, from left to right; the first thing
// that is wrong ends it, with its line and column and one line that says what to do.
//
// No verb has code of its own here: prototypes() has an Op for each verb, fields() visits its
// arguments in the order of the text, and each kind of argument has one read(). A new verb whose
// arguments are of known kinds is understood as soon as it stands in prototypes().
//
//     B: bind /a @h/b => EINVAL rule     step(): the task, the verb's prototype, its fields,
//     -  ---- -- ----    ------ ----             then stated_outcome()
//
// Source: FORMAT.md.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "scenario/program.h"
#include "scenario/scenario.h"
#include "scenario/syntax.h"
#include "scenario/words.h"

namespace pivotcheck {
namespace {

using syntax::column_at;
using syntax::Complaint;
using syntax::is_blank;
using syntax::Word;
using syntax::Words;

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// `text` in single quotes, short and on one line, as messages show it.
std::string shown(std::string_view text) {
  constexpr std::size_t bytes_max = 40;  // a message stays one line of a terminal
  std::string result = "'";
  for (const char c : text.substr(0, bytes_max)) {
    if (c >= 0x20 && c < 0x7F) {
      result += c;
    } else {
      result += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result + (text.size() > bytes_max ? "...'" : "'");
}

// "a, b or c".
std::string choices(std::span<const std::string_view> names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) result += i + 1 == names.size() ? " or " : ", ";
    result += names[i];
  }
  return result;
}

// The prototype of a verb, nullptr where there is none.
const Op* find_prototype(std::string_view name) {
  static const auto by_name = [] {
    std::map<std::string_view, const Op*> result;
    for (const Op& each : prototypes()) result.emplace(verb(each), &each);
    return result;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

// OPTS may be left out, a LIST may not.
template <class Enum>
constexpr bool may_be_left_out = OneOf<Enum, MountFlag, UmountFlag, OpenTreeFlag, MoveMountFlag>;

// Reads a whole scenario. Every function that returns bool has set the complaint where it returns
// false.
class Reader {
 public:
  std::expected<Scenario, ParseError> read_scenario(std::string_view text) {
    int line_number = 0;
    while (!text.empty()) {
      const std::size_t line_break = text.find('\n');
      std::string_view line = text.substr(0, line_break);
      text.remove_prefix(line_break == std::string_view::npos ? text.size() : line_break + 1);
      if (line_break != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
      ++line_number;
      if (!read_line(line)) {
        return std::unexpected(ParseError{
            .line = line_number, .column = complaint_.column, .what = std::move(complaint_.what)});
      }
    }
    return std::move(scenario_);
  }

 private:
  // One line, without its line break.
  bool read_line(std::string_view line) {
    // First, for it is what ails a file that is no text at all.
    const std::size_t zero = line.find('\0');
    if (zero != std::string_view::npos) {
      return fail(column_at(zero), "a zero byte; a scenario is text, remove it");
    }
    std::size_t start = 0;
    while (start < line.size() && is_blank(line[start])) ++start;
    if (start == line.size() || line[start] == '#') return true;

    // A name with a colon after it is a header's key or a task.
    std::size_t colon = start;
    while (colon < line.size() &&
           (syntax::is_lower(line[colon]) || syntax::is_upper(line[colon]) ||
            syntax::is_digit(line[colon]) || line[colon] == '-' || line[colon] == '_')) {
      ++colon;
    }
    if (colon == start || colon == line.size() || line[colon] != ':') {
      return read_step(line, {}, column_at(start), start);
    }
    const std::string_view name = line.substr(start, colon - start);
    const std::size_t after_colon = colon + 1;
    if (after_colon < line.size() && !is_blank(line[after_colon])) {
      return fail(column_at(after_colon),
                  "write a blank after " + shown(line.substr(start, after_colon - start)));
    }
    if (syntax::is_task_name(name)) return read_step(line, name, column_at(start), after_colon);
    return header(line, name, column_at(start), after_colon);
  }

  // `task` is what stands before a colon, "" where nothing does; `start` is where the rest begins.
  bool read_step(std::string_view line, std::string_view task, int task_column, std::size_t start) {
    const std::string_view performer = task.empty() ? syntax::default_task : task;
    if (!resolver_.is_alive(performer)) {
      if (task.empty()) {
        return fail(task_column,
                    "task 'A' has ended; say which task does this step, as in 'B: ...'");
      }
      return fail(task_column,
                  "no task " + shown(task) + " here; spawn it first, and name it before its exit");
    }
    ScenarioStep& step = scenario_.steps.emplace_back();
    if (!task.empty()) step.step.task.text = task;
    words_ = Words(line, start);
    end_column_ = column_at(line.size());
    if (!advance()) return false;
    if (!word_.is_argument()) return fail(end_column_, "a verb is missing, such as mkdir");
    const Op* prototype = word_.kind == Word::Kind::plain ? find_prototype(word_.text) : nullptr;
    if (prototype == nullptr) {
      return fail(word_.column, "unknown verb " + shown(word_.text) +
                                    "; a line is a header, a step or a comment, see FORMAT.md");
    }
    verb_ = verb(*prototype);
    step.step.op = *prototype;
    if (!advance() || !arguments(step.step.op)) return false;
    if (word_.is_argument()) {
      return fail(word_.column, shown(verb_) + " takes no further argument; remove " +
                                    shown(word_.text) + ", or begin a comment with '#'");
    }
    PIVOTCHECK_CHECK(resolver_.add(step.step));
    return word_.kind == Word::Kind::end || stated_outcome(step.stated);
  }

  // `start` is where the value begins, after the colon.
  bool header(std::string_view line, std::string_view key, int key_column, std::size_t start) {
    const std::string_view value = trim(line.substr(start));
    const int column = column_at(
        value.empty() ? line.size() : static_cast<std::size_t>(value.data() - line.data()));
    constexpr std::array<std::string_view, 5> keys{"title", "about", "privilege", "kernel",
                                                   "trait"};
    if (std::ranges::find(keys, key) == keys.end()) {
      return fail(key_column, "unknown header " + shown(key) +
                                  "; there are title, about, privilege, kernel and trait (a task "
                                  "is named in capitals, and a verb has no colon)");
    }
    if (!scenario_.steps.empty()) {
      return fail(key_column, "a header after a step; move it before the first step");
    }
    if ((key == "title" && scenario_.title) || (key == "privilege" && scenario_.privilege)) {
      return fail(key_column,
                  "a second " + shown(key) + "; only about:, kernel: and trait: may repeat");
    }
    if (key == "title") return scenario_.title = value, true;
    if (key == "about") return scenario_.about.emplace_back(value), true;
    if (key == "privilege") return privilege(value, column);
    return key == "kernel" ? kernel(value, column) : trait(value, column);
  }

  bool privilege(std::string_view value, int column) {
    const auto* const name = std::ranges::find(syntax::privilege_names, value);
    if (name != syntax::privilege_names.end()) {
      scenario_.privilege = static_cast<Privilege>(name - syntax::privilege_names.begin());
      return true;
    }
    const std::string known = "write " + choices(syntax::privilege_names);
    if (value.empty()) return fail(column, "the privilege is missing; " + known);
    return fail(column, "unknown privilege " + shown(value) + "; " + known);
  }

  bool kernel(std::string_view value, int column) {
    constexpr std::string_view example = "write conditions such as >=6.1 <7.0";
    if (value.empty()) return fail(column, "the condition is missing; " + std::string(example));
    while (!value.empty()) {
      const std::string_view word = value.substr(0, value.find_first_of(" \t"));
      const std::string_view sign = word.substr(0, word.find_first_not_of("<=>"));
      const auto* const name = std::ranges::find(syntax::relation_names, sign);
      const std::optional<Release> release = parse_release(word.substr(sign.size()));
      if (name == syntax::relation_names.end() || !release) {
        return fail(column, shown(word) + " is no condition on a kernel; " + std::string(example) +
                                ", each one of < <= = >= > and N.N or N.N.N");
      }
      scenario_.kernel.push_back({.relation = static_cast<KernelCondition::Relation>(
                                      name - syntax::relation_names.begin()),
                                  .release = *release,
                                  .parts = 1 + static_cast<int>(std::ranges::count(word, '.'))});
      const std::string_view rest = trim(value.substr(word.size()));
      column += static_cast<int>(rest.empty() ? 0 : rest.data() - value.data());
      value = rest;
    }
    return true;
  }

  bool trait(std::string_view value, int column) {
    constexpr std::string_view wanted = "write NAME=on or NAME=off";
    if (value.empty()) return fail(column, "the condition is missing; " + std::string(wanted));
    while (!value.empty()) {
      const std::string_view word = value.substr(0, value.find_first_of(" \t"));
      const std::string_view name = word.substr(0, word.find('='));
      const std::string_view state = word.substr(name.size());
      if (!syntax::is_trait_name(name) || (state != "=on" && state != "=off")) {
        return fail(column, shown(word) + " is no condition on a trait; " + std::string(wanted));
      }
      scenario_.traits.push_back({.name = std::string(name), .on = state == "=on"});
      const std::string_view rest = trim(value.substr(word.size()));
      column += static_cast<int>(rest.empty() ? 0 : rest.data() - value.data());
      value = rest;
    }
    return true;
  }

  bool fail(int column, std::string what) {
    complaint_ = {.column = column, .what = std::move(what)};
    return false;
  }

  bool advance() {
    std::expected<Word, Complaint> next = words_.next();
    if (!next) return fail(next.error().column, std::move(next.error().what));
    word_ = *next;
    return true;
  }

  // word_ is an argument (not the end, not the mark); otherwise says that `what` is missing.
  bool need(std::string_view what) {
    if (word_.is_argument()) return true;
    // What is missing is one past the line's end, also where an outcome stands before that.
    return fail(end_column_, shown(verb_) + " lacks " + std::string(what));
  }

  // As need(), and it is not quoted.
  bool need_plain(std::string_view what) {
    if (!need(what)) return false;
    if (word_.kind == Word::Kind::plain) return true;
    return fail(word_.column,
                "only a path may be quoted; write " + std::string(what) + " without quotes");
  }

  bool arguments(Op& op) {
    return std::visit(
        [this]<class Typed>(Typed& typed) {
          bool good = true;
          Typed::fields(typed, [this, &good]<class Argument>(Argument& argument) {
            if (!good) return;
            if constexpr (std::is_same_v<Argument, TaskName>) {
              good = read_task(argument, std::is_same_v<Typed, Spawn>);
            } else {
              good = read(argument);
            }
          });
          return good;
        },
        op);
  }

  // After `=>`, which word_ is.
  bool stated_outcome(std::optional<StatedOutcome>& stated) {
    if (!advance()) return false;
    if (word_.kind == Word::Kind::end) {
      return fail(end_column_, "an outcome is missing after '=>': ok, or an errno such as EINVAL");
    }
    StatedOutcome& result = stated.emplace();
    const bool plain = word_.kind == Word::Kind::plain;
    if (!plain || word_.text != "ok") {
      const std::optional<int> error = plain ? errno_number(word_.text) : std::nullopt;
      if (!error) {
        return fail(word_.column, "unknown outcome " + shown(word_.text) +
                                      "; write ok, or an errno such as EINVAL");
      }
      result.outcome.error = *error;
    }
    if (!advance()) return false;
    if (word_.kind == Word::Kind::end) return true;
    if (result.outcome.ok()) {
      return fail(word_.column, "nothing may follow 'ok': a rule stands only after an errno");
    }
    if (word_.kind != Word::Kind::plain || !syntax::is_rule_name(word_.text)) {
      return fail(
          word_.column,
          shown(word_.text) + " can't name a rule; its name is small letters, digits and '-'");
    }
    result.rule = word_.text;
    if (!advance()) return false;
    if (word_.kind == Word::Kind::end) return true;
    return fail(word_.column, "nothing may follow the rule; remove " + shown(word_.text));
  }

  bool read(Path& path) {
    if (!need("a path")) return false;
    if (!word_.text.starts_with('@')) {
      path.text = word_.text;
      return advance();
    }
    const std::size_t slash = std::min(word_.text.find('/'), word_.text.size());
    const std::string_view handle = word_.text.substr(1, slash - 1);
    if (!syntax::is_handle_name(handle)) {
      return fail(
          word_.column,
          "a path that begins with '@' starts at a handle, such as @h or @h/sub; for a name "
          "that begins with '@' write ./@...");
    }
    path.handle = handle;
    path.text = word_.text.substr(slash);
    return advance();
  }

  bool read(LinkTarget& target) {
    if (!need("the text of the link")) return false;
    target.text = word_.text;
    return advance();
  }

  bool read(Mode& mode) {
    if (!need_plain("a mode in octal, such as 0755")) return false;
    constexpr unsigned bits_max = 07777;
    unsigned bits = 0;
    for (const char c : word_.text) {
      if (c < '0' || c > '7' || (bits = bits * 8 + static_cast<unsigned>(c - '0')) > bits_max) {
        return fail(word_.column,
                    shown(word_.text) + " is no mode; write octal digits, at most 7777");
      }
    }
    mode.bits = bits;
    return advance();
  }

  bool read(FilesystemType& type) {
    static const std::string known = "a type: " + choices(FlagNames<FilesystemType>::names);
    if (!need_plain(known)) return false;
    const auto named = flag_named<FilesystemType>(word_.text);
    if (!named) {
      return fail(word_.column,
                  "unknown filesystem type " + shown(word_.text) + "; write " + known);
    }
    type = *named;
    return advance();
  }

  bool read(HandleName& handle) {
    if (!need_plain("a handle's name")) return false;
    if (!syntax::is_handle_name(word_.text)) {
      return fail(word_.column, shown(word_.text) +
                                    " can't name a handle; its name is a small letter, then small "
                                    "letters and digits (no '@' here)");
    }
    handle.text = word_.text;
    return advance();
  }

  bool read_task(TaskName& task, bool is_new) {
    if (!need_plain("a task's name")) return false;
    if (!syntax::is_task_name(word_.text)) {
      return fail(word_.column,
                  shown(word_.text) +
                      " can't name a task; its name is a capital letter, then capital "
                      "letters and digits");
    }
    if (is_new && resolver_.was_made(word_.text)) {
      return fail(word_.column,
                  "task " + shown(word_.text) + " was made before; a name is given only once");
    }
    if (!is_new && !resolver_.is_alive(word_.text)) {
      return fail(word_.column, "no task " + shown(word_.text) +
                                    " here; spawn it first, and name it before its exit");
    }
    task.text = word_.text;
    return advance();
  }

  // Calls `accept` with each element of the comma-separated word_ and its column, until it returns
  // false.
  template <class Accept>
  bool read_list(const Accept& accept) {
    std::string_view rest = word_.text;
    int column = word_.column;
    while (true) {
      const std::string_view element = rest.substr(0, rest.find(','));
      if (element.empty()) return fail(column, "a name is missing beside the comma");
      if (!accept(element, column)) return false;
      if (element.size() == rest.size()) return advance();
      rest.remove_prefix(element.size() + 1);
      column += static_cast<int>(element.size()) + 1;
    }
  }

  template <class Enum>
  bool read(FlagSet<Enum>& flags) {
    if (may_be_left_out<Enum> && !word_.is_argument()) return true;
    static const std::string known = "a list of " + choices(FlagNames<Enum>::names);
    if (!need_plain(known)) return false;
    return read_list([&](std::string_view element, int column) {
      const auto flag = flag_named<Enum>(element);
      if (!flag) return fail(column, "unknown option " + shown(element) + "; write " + known);
      flags.set(*flag);
      return true;
    });
  }

  bool read(RemountFlags& remount) {
    static const std::string known = "rw, or a list of " + choices(FlagNames<MountFlag>::names);
    if (!need_plain(known)) return false;
    bool none = false;  // "rw" stands
    return read_list([&](std::string_view element, int column) {
      const auto flag = flag_named<MountFlag>(element);
      if (!flag && element != "rw") {
        return fail(column, "unknown option " + shown(element) + "; write " + known);
      }
      if (flag) remount.flags.set(*flag);
      none = none || !flag;
      if (none && !remount.flags.empty()) {
        return fail(column, "'rw' means none of the flags; write either rw or flags");
      }
      return true;
    });
  }

  bool read_attribute(AttributeChange& change, std::string_view element, int column) {
    static const std::string known = "write + or - and one of " +
                                     choices(FlagNames<MountFlag>::names) + ", or one of " +
                                     choices(FlagNames<Propagation>::names) + ", or " +
                                     std::string(syntax::keep_atime);
    if (element == syntax::keep_atime) return change.keep_atime = true, true;
    if (element.front() != '+' && element.front() != '-') {
      const auto to = flag_named<Propagation>(element);
      if (!to) return fail(column, "unknown attribute " + shown(element) + "; " + known);
      if (change.propagation && change.propagation != to) {
        return fail(column, "a mount has one propagation; write one of " +
                                choices(FlagNames<Propagation>::names));
      }
      change.propagation = to;
      return true;
    }
    const auto flag = flag_named<MountFlag>(element.substr(1));
    if (!flag) return fail(column, "unknown attribute " + shown(element) + "; " + known);
    const bool on = element.front() == '+';
    if ((on ? change.clear : change.set).has(*flag)) {
      return fail(column, shown(element.substr(1)) + " both with + and with -; write one of them");
    }
    (on ? change.set : change.clear).set(*flag);
    return true;
  }

  bool read(AttributeChange& change) {
    if (!need_plain("a list of attributes, such as +ro or private")) return false;
    return read_list([&](std::string_view element, int column) {
      return read_attribute(change, element, column);
    });
  }

  bool read(RecursiveWord& word) {
    if (!word_.is_argument()) return true;
    if (word_.kind != Word::Kind::plain || word_.text != "recursive") {
      return fail(word_.column, "only 'recursive' may follow the attributes; remove " +
                                    shown(word_.text) + ", or begin a comment with '#'");
    }
    word.on = true;
    return advance();
  }

  Scenario scenario_;
  Resolver resolver_;
  Complaint complaint_;
  // The line that is being read; of a step, what stands after the task's name.
  Words words_;
  int end_column_ = 0;
  Word word_;
  std::string_view verb_;
};

}  // namespace

std::expected<Scenario, ParseError> parse(std::string_view text) {
  return Reader().read_scenario(text);
}

}  // namespace pivotcheck

// SPDX-License-Identifier: Apache-2.0
// recipes.cc: reads recipes.txt, and performs a recipe in the middle of a scenario.
#include "check/gen/recipes.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <ranges>
#include <utility>

#include "base/check.h"
#include "check/gen/places.h"
#include "recipes_text.h"  // made by CMake from recipes.txt

namespace pivotcheck::gen {
namespace {

using model::Kind;
using model::TaskIndex;

// --- reading

// The parts that are not empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, separator)) {
    if (!part.empty()) parts.emplace_back(part.begin(), part.end());
  }
  return parts;
}

struct RecipeText {
  Recipe heading;  // without lines
  std::vector<std::string> lines;
};

// "[12 opening] a second task"
Recipe read_heading(std::string_view line) {
  Recipe recipe;
  const std::size_t end = line.find("] ");
  PIVOTCHECK_CHECK(end != std::string::npos);
  std::from_chars(line.data() + 1, line.data() + end, recipe.weight);
  PIVOTCHECK_CHECK(recipe.weight > 0);
  recipe.opening = line.substr(0, end).ends_with(" opening");
  recipe.name = line.substr(end + 2);
  return recipe;
}

// "| a {b|c} d" is "| a b d" and "| a c d".
void add_expanded(const std::string& line, std::vector<std::string>& to) {
  const std::size_t begin = line.find('{');
  if (begin == std::string::npos) return to.push_back(line);
  const std::size_t end = line.find('}', begin);
  PIVOTCHECK_CHECK(end != std::string::npos);
  const std::string_view choices = std::string_view(line).substr(begin + 1, end - begin - 1);
  for (const std::string_view each : split(choices, '|')) {
    add_expanded(line.substr(0, begin).append(each) + line.substr(end + 1), to);
  }
}

std::vector<RecipeText> recipe_texts() {
  std::string text(recipes_text);
  for (std::size_t at = 0; (at = text.find("\n;", at)) != std::string::npos;) text[at] = ' ';
  std::vector<RecipeText> all;
  for (const std::string_view line : split(text, '\n')) {
    if (line.front() == '#') continue;
    if (line.front() == '[') {
      all.push_back({read_heading(line), {}});
    } else {
      add_expanded(std::string(line), all.back().lines);
    }
  }
  return all;
}

bool is_alternative(std::string_view line) { return line.front() == '|'; }

// One recipe: the lines that are not alternatives, and one alternative in the place of them all
// (alternatives are consecutive lines).
Recipe read(Recipe recipe, const std::vector<std::string>& lines) {
  std::string text;
  int option = 0;
  for (std::string_view line : lines) {
    const char mark = line.front();
    if (mark == '?') ++option;
    if (mark == '?' || mark == '~' || mark == '|') line.remove_prefix(1);
    for (const std::string_view step : split(line, ';')) {
      text.append(step).append("\n");
      recipe.lines.push_back(
          {.step = {}, .mutate_options = mark == '~', .option = mark == '?' ? option : 0});
    }
  }
  auto parsed = parse(text);
  if (!parsed) {
    std::fprintf(stderr, "pivotcheck: recipe \"%s\", line %d of\n%s%s\n", recipe.name.c_str(),
                 parsed.error().line, text.c_str(), parsed.error().what.c_str());
    std::abort();
  }
  for (std::size_t i = 0; i < recipe.lines.size(); ++i) {
    const Op& op = parsed->steps[i].step.op;
    recipe.spawns += std::holds_alternative<Spawn>(op) ? 1 : 0;
    recipe.needs_expire = recipe.needs_expire || is_expire(op);
    recipe.lines[i].step = std::move(parsed->steps[i]);
  }
  return recipe;
}

std::vector<Recipe> read_all() {
  std::vector<Recipe> all;
  for (const auto& [heading, lines] : recipe_texts()) {
    const auto first = std::ranges::find_if(lines, is_alternative);
    const auto count = static_cast<std::uint32_t>(std::ranges::count_if(lines, is_alternative));
    // Weights are integers, so all of them are scaled up to be shared out.
    constexpr std::uint32_t scale = 64;
    for (std::uint32_t i = 0; i < std::max(count, 1U); ++i) {
      std::vector<std::string> chosen(lines.begin(), first);
      if (count > 0) chosen.push_back(*(first + i));
      chosen.insert(chosen.end(), first + count, lines.end());
      all.push_back(read(heading, chosen));
      all.back().weight = heading.weight * scale / std::max(count, 1U);
    }
  }
  return all;
}

// --- performing

struct Percent {
  static constexpr std::uint32_t option = 35;         // a '?' line is performed
  static constexpr std::uint32_t something_else = 8;  // a random step comes before this one
  static constexpr std::uint32_t forgotten = 2;       // a step is left out
  static constexpr std::uint32_t given_up = 65;       // after a step that was meant to work
};

class RecipeRun {
 public:
  RecipeRun(ScenarioBuilder& builder, TaskIndex performer)
      : builder_(builder), choices_(builder.choices()), first_(performer) {}

  // The task that performs that step; one that does not exist, or has exited, if it was never made.
  [[nodiscard]] TaskIndex actor(const Recipe::Line& line) const {
    return line.step.step.task.text == "A" ? first_ : second_;
  }
  // A copy of that step with places for its variables and with existing tasks.
  Op fill_in(const Recipe::Line& line) {
    Op op = line.step.step.op;
    const TaskIndex performer = actor(line);
    std::visit([&](auto& o) { o.fields(o, [&](auto& field) { fill(field, performer); }); }, op);
    return op;
  }
  // The step would make something that the variable in it already stands for.
  [[nodiscard]] bool is_there_already(const Op& op) const {
    const auto* mkdir = std::get_if<Mkdir>(&op);
    const auto* touch = std::get_if<Touch>(&op);
    const Path* path = mkdir != nullptr ? &mkdir->path : touch != nullptr ? &touch->path : nullptr;
    return path != nullptr && std::ranges::find(existing_, path->text) != existing_.end();
  }
  void spawned() {
    second_ = {static_cast<std::uint32_t>(builder_.world().tasks.size() - 1)};
  }

 private:
  using Variables = std::map<std::string, std::string, std::less<>>;  // by name

  void fill(Path& path, TaskIndex performer) {
    if (path.text.find('$') == std::string::npos) return;
    path.text = expand(path.text, performer);
    // From a current directory that is the root, paths can be written without a slash.
    const model::Task& task = builder_.world()[performer];
    if (path.handle.empty() && path.text.size() > 1 && path.text[1] != '/' &&
        task.current_directory == task.root && choices_.chance(15)) {
      path.text.erase(0, 1);
    }
  }
  void fill(LinkTarget& target, TaskIndex performer) {
    target.text = expand(target.text, performer);
  }
  void fill(TaskName& name, TaskIndex) {
    const TaskIndex task = name.text == "A" || !second_.exists() ? first_ : second_;
    name.text = builder_.world()[task].name;
  }
  template <class Other>
  void fill(Other&, TaskIndex) {}

  std::string expand(std::string_view text, TaskIndex performer) {
    std::string result;
    for (;;) {
      const std::size_t dollar = text.find('$');
      result += text.substr(0, dollar);
      if (dollar == std::string_view::npos) return result;
      text.remove_prefix(dollar + 1);
      const auto end = std::ranges::find_if_not(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      });
      const auto length = static_cast<std::size_t>(end - text.begin());
      result += value(text.substr(0, length), performer);
      text.remove_prefix(length);
    }
  }

  const std::string& value(std::string_view name, TaskIndex performer) {
    static const Variables long_names{{"name255", std::string(255, 'n')},
                                      {"name256", std::string(256, 'n')},
                                      {"path4095", std::string(4095, '/')},
                                      {"path4096", std::string(4096, '/')},
                                      {"links39", links(39)},
                                      {"links40", links(40)}};
    const auto fixed = long_names.find(name);
    if (fixed != long_names.end()) return fixed->second;
    const auto known = variables_.find(name);
    if (known != variables_.end()) return known->second;
    std::string chosen = choose(name, performer);
    return variables_.emplace(name, std::move(chosen)).first->second;
  }

  static std::string links(int count) {
    std::string path;
    while (count-- > 0) path += "/l";
    return path;
  }

  std::string choose(std::string_view name, TaskIndex performer) {
    const Kind kind = name == "f" ? Kind::file : name == "l" ? Kind::symlink : Kind::directory;
    const Places places(builder_, performer);
    if (kind != Kind::symlink && choices_.chance(20)) {
      const Site site = kind == Kind::file ? places.file() : places.directory();
      if (!site.text.empty() && places.kind(site) == kind) {
        existing_.push_back(site.text);
        return site.text;
      }
    }
    const Site directory = places.below({{}, builder_.world()[performer].root}, 1);
    // Two variables for new names must not get the same one.
    const std::string found = directory.text + "/" + places.free_name(directory, kind);
    if (!is_taken(found)) return found;
    for (const char* other : {"/a", "/b", "/c", "/d", "/f", "/g"}) {
      if (!is_taken(directory.text + other)) return directory.text + other;
    }
    return found;
  }
  [[nodiscard]] bool is_taken(const std::string& value) const {
    return std::ranges::count(variables_ | std::views::values, value) > 0;
  }

  ScenarioBuilder& builder_;
  Choices& choices_;
  TaskIndex first_;
  TaskIndex second_;
  Variables variables_;
  std::vector<std::string> existing_;
};

}  // namespace

std::span<const Recipe> recipes() {
  static const std::vector<Recipe> all = read_all();
  return all;
}

bool fits(const Recipe& recipe, const ScenarioBuilder& builder) {
  return recipe.spawns <= builder.names_left() &&
         (!recipe.needs_expire || builder.features().expire);
}

void perform(ScenarioBuilder& builder, TaskIndex performer, const Recipe& recipe,
             const VerbWeights& weights) {
  Choices& choices = builder.choices();
  RecipeRun run(builder, performer);
  int option = 0;
  bool taken = true;
  for (const Recipe::Line& line : recipe.lines) {
    if (line.option != option) {
      option = line.option;
      taken = option == 0 || choices.chance(Percent::option);
    }
    if (!taken) continue;
    if (choices.chance(Percent::something_else)) random_step(builder, builder.some_task(), weights);
    const TaskIndex actor = run.actor(line);
    if (builder.ended() || !actor.exists() || !builder.world()[actor].alive) return;

    Op op = run.fill_in(line);
    if (run.is_there_already(op)) continue;
    if (line.mutate_options) mutate_options(op, choices);
    auto* spawn = std::get_if<Spawn>(&op);
    if (spawn != nullptr) {
      if (builder.names_left() == 0) return;
      spawn->task.text = builder.next_name();
    } else if (choices.chance(Percent::forgotten)) {
      continue;
    }
    if (std::holds_alternative<Exit>(op) && builder.tasks_alive() < 2) return;
    const auto* setns = std::get_if<Setns>(&op);
    if (setns != nullptr && !builder.world().find_task(setns->task.text).exists()) return;

    const bool is_spawn = spawn != nullptr;
    const bool meant_to_work = !line.step.stated || line.step.stated->outcome.ok();
    const bool ok = builder.perform(actor, std::move(op));
    if (ok && is_spawn) run.spawned();
    // The rest of the recipe needs this step; sometimes it is tried all the same.
    if (!ok && meant_to_work && choices.chance(Percent::given_up)) return;
  }
}

}  // namespace pivotcheck::gen

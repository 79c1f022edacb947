// SPDX-License-Identifier: Apache-2.0
// manual.cc: the pages of the manual, from the descriptions of the subcommands and from the text of
// `switch --help`; and their form as man pages (man(7)). completion.cc has the other form.
#include "manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <sstream>
#include <type_traits>

#include "commands.h"
#include "model/rules.h"
#include "op/outcome.h"
#include "output.h"
#include "switch/root_switch.h"

namespace pivotcheck::cli {
namespace {

// --- what a shell offers ------------------------------------------------------------------------

std::vector<std::string> names_in_rules() {
  std::set<std::string> names;
  for (const RuleInfo& rule : rule_table()) {
    names.emplace(rule.name);
    names.emplace(errno_name(rule.error));
    for (std::size_t i = 0; i < calls_count; ++i) {
      const auto call = static_cast<Call>(i);
      if (rule.calls.has(call)) names.insert(to_string(Calls{call}));
    }
  }
  return {names.begin(), names.end()};
}

// Help that names all values has them in one word, "user,pid,mnt", and perhaps one more after it:
// ", or all".
std::vector<std::string> words_in_help(const std::string& help) {
  static const std::regex list("([a-z_]+(?:,[a-z_]+){2,})(?:,? or ([a-z_]+))?");
  std::smatch found;
  std::vector<std::string> words;
  if (!std::regex_search(help, found, list)) return words;
  std::istringstream elements(found[1].str());
  for (std::string word; std::getline(elements, word, ',');) words.push_back(word);
  if (found[2].matched) words.push_back(found[2].str());
  return words;
}

void set_offer(const std::string& command, ManualOption& option) {
  const bool positional = option.names.empty();
  const std::string name = positional ? "" : option.names.back();
  if (!option.words.empty()) {
    option.offer = Offer::words;
  } else if (command == "switch" && name == "--strategy") {
    option.offer = Offer::words;
    for (const StrategyInfo& each : strategies()) option.words.emplace_back(each.name);
  } else if (command == "switch" && name == "--drop") {
    option.offer = Offer::list;
    const auto capabilities = capability_names();
    option.words.assign(capabilities.begin(), capabilities.end());
    option.words.emplace_back("all");
  } else if (command == "rules" && positional) {
    option.offer = Offer::words;
    option.words = names_in_rules();
  } else if (!option.value.empty()) {
    option.words = words_in_help(option.help);
    if (!option.words.empty()) option.offer = Offer::list;
  }
}

// --- from the description of a subcommand --------------------------------------------------------

std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> result;
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    result.push_back(name.substr(std::min(name.find_first_not_of(' '), name.size())));
  }
  return result;
}

// "N", "DIR": what kind of value it is, as far as the help says so.
std::string value_name(const OptionSpec& option, bool is_number) {
  if (!option.rules.choices.empty()) return fmt::format("{}", fmt::join(option.rules.choices, "|"));
  if (is_number) return "N";
  static const std::regex file("\\b(FILE|file)\\b");
  if (std::regex_search(option.help, file)) return "FILE";
  if (option.rules.is_folder || option.help.find("folder") != std::string::npos) return "DIR";
  return "TEXT";
}

std::string default_of(const OptionSpec& option) {
  return std::visit(
      [](auto* target) -> std::string {
        using Value = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_arithmetic_v<Value> || std::is_same_v<Value, std::string>) {
          return fmt::format("{}", *target);
        }
        return "";
      },
      option.target);
}

std::string help_with_rules(const OptionSpec& option) {
  const OptionRules& rules = option.rules;
  std::string text = option.help;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : "; ") + more; };
  if (rules.min && rules.max) add(fmt::format("from {} to {}", *rules.min, *rules.max));
  if (rules.shows_default) add("default: " + default_of(option));
  if (!rules.needs.empty()) add("needs " + rules.needs);
  if (!rules.excludes.empty()) add("not with " + rules.excludes);
  return text;
}

ManualOption manual_option(const std::string& command, const OptionSpec& spec) {
  const bool is_flag = std::holds_alternative<bool*>(spec.target);
  const bool is_many = std::holds_alternative<std::vector<std::string>*>(spec.target);
  const bool is_text = std::holds_alternative<std::string*>(spec.target) || is_many ||
                       std::holds_alternative<std::optional<std::string>*>(spec.target);
  ManualOption option{.help = help_with_rules(spec), .words = spec.rules.choices};
  if (spec.names.starts_with('-')) {
    option.names = split_names(spec.names);
    if (!is_flag) option.value = value_name(spec, !is_text);
  } else {
    option.value = spec.names + (is_many ? "..." : "");
    if (!spec.rules.required) option.value = "[" + option.value + "]";
  }
  if (!is_text) option.offer = Offer::nothing;
  if (option.value == "DIR") option.offer = Offer::folders;
  set_offer(command, option);
  return option;
}

std::string with_first(std::string text, int (*change)(int)) {
  if (!text.empty()) text[0] = static_cast<char>(change(static_cast<unsigned char>(text[0])));
  return text;
}

// Takes "Exit status: ..." out of a text, up to the end of its last sentence on a line's end.
std::string take_exit_status(std::string& text) {
  constexpr std::string_view mark = "Exit status: ";
  const std::size_t start = text.find(mark);
  if (start == std::string::npos) return "";
  const std::size_t end = std::min(text.find(".\n", start), text.size() - 1) + 1;
  std::string status = text.substr(start + mark.size(), end - start - mark.size());
  const std::size_t from = start == 0 || text[start - 1] != ' ' ? start : start - 1;
  text.erase(from, end - from);
  return with_first(status, std::toupper);
}

ManualPage page_of(const CommandSpec& spec, bool is_program) {
  ManualPage page{.command = is_program ? "" : spec.name, .summary = spec.summary};
  if (is_program && page.summary.starts_with(spec.name + ": ")) {
    page.summary.erase(0, spec.name.size() + 2);
  }
  page.options.push_back({.names = {"-h", "--help"}, .help = "print the options, and exit"});
  if (!spec.version.empty()) {
    page.options.push_back({.names = {"--version"}, .help = "print the version, and exit"});
  }
  page.synopsis = "[OPTION]...";
  for (const OptionSpec& each : spec.options) {
    page.options.push_back(manual_option(page.command, each));
    if (!each.names.starts_with('-')) page.synopsis += " " + page.options.back().value;
  }
  if (is_program) page.synopsis += " SUBCOMMAND [ARGUMENT]...";
  page.description = spec.footer;
  page.exit_status = take_exit_status(page.description);
  return page;
}

// --- from the text of `switch --help` ------------------------------------------------------------

// "  --bind SRC:DST  mount ...", and lines of its help, indented further; all else describes.
ManualPage page_of_usage(const std::string& command, std::string_view usage) {
  ManualPage page{.command = command};
  constexpr std::size_t help_indent = 6;  // at least; an option's own line has two blanks
  std::istringstream lines{std::string(usage)};
  bool in_option = false;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
    if (line.starts_with("Usage: ")) {
      const std::size_t words = line.find(command) + command.size();
      page.synopsis = line.substr(std::min(words + 1, line.size()));
    } else if (line.starts_with("  -")) {
      const std::size_t gap = std::min(line.find("  ", indent), line.size());
      const std::string head = line.substr(indent, gap - indent);
      const std::size_t blank = std::min(head.find(' ', head.rfind('-')), head.size());
      ManualOption option{.names = split_names(head.substr(0, blank))};
      if (blank < head.size()) option.value = head.substr(blank + 1);
      const std::size_t text = line.find_first_not_of(' ', gap);
      if (text != std::string::npos) option.help = line.substr(text);
      page.options.push_back(option);
      in_option = true;
    } else if (in_option && indent >= help_indent && indent < line.size()) {
      std::string& help = page.options.back().help;
      help += (help.empty() ? "" : " ") + line.substr(indent);
    } else {
      in_option = false;
      page.description += line + "\n";
    }
  }
  for (ManualOption& option : page.options) {
    static const std::set<std::string> made_up{"FD", "N", "NAME", "NAME VALUE"};
    if (made_up.contains(option.value)) option.offer = Offer::nothing;
    if (option.value == "DIR") option.offer = Offer::folders;
    set_offer(command, option);
  }
  page.options.push_back({.value = "ROOT", .help = "the new root", .offer = Offer::folders});
  page.options.push_back({.value = "COMMAND...", .help = "what runs in it"});
  const std::size_t first = std::min(page.description.find(".\n"), page.description.size());
  page.summary = page.description.substr(0, first);
  page.description.erase(0, std::min(first + 2, page.description.size()));
  page.exit_status = take_exit_status(page.description);
  return page;
}

// --- man(7) --------------------------------------------------------------------------------------

// Text for troff, options in bold.
std::string troff(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '\\': result += "\\e"; break;
      case '-': result += "\\-"; break;
      case '\'': result += "\\(aq"; break;
      case '`': result += "\\(ga"; break;
      case '^': result += "\\(ha"; break;
      case '~': result += "\\(ti"; break;
      default: result += c;
    }
  }
  static const std::regex option(R"((^|[\s(])((?:\\-){1,2}[A-Za-z][A-Za-z]*(?:\\-[A-Za-z]+)*))");
  result = std::regex_replace(result, option, "$1\\fB$2\\fR");
  if (result.starts_with('.')) result.insert(0, "\\&");
  return result;
}

// Paragraphs. Troff fills lines, but not those that begin with a blank.
std::string paragraphs(const std::string& text) {
  std::string result;
  bool open = false;
  bool literal = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with(' ');
    if (literal && !indented) result += ".fi\n";
    if (line.empty())
      open = false;
    else if (!open)
      result += ".PP\n";
    if (!literal && indented) result += ".nf\n";
    if (!line.empty()) result += troff(line) + "\n";
    literal = indented;
    open = open || !line.empty();
  }
  return result + (literal ? ".fi\n" : "");
}

std::string tagged(const ManualOption& option) {
  std::string tag;
  for (const std::string& name : option.names) {
    tag += (tag.empty() ? "\\fB" : "\\fR, \\fB") + std::regex_replace(name, std::regex("-"), "\\-");
  }
  if (!option.value.empty()) tag += (tag.empty() ? "\\fI" : "\\fR \\fI") + troff(option.value);
  return ".TP\n" + tag + "\\fR\n" + (option.help.empty() ? "\\&" : troff(option.help)) + "\n";
}

std::string full_name(const ManualPage& page) {
  return page.command.empty() ? "pivotcheck" : "pivotcheck-" + page.command;
}

std::string see_also(const std::vector<ManualPage>& pages, const ManualPage& page) {
  std::string result = ".SH SEE ALSO\n";
  for (const ManualPage& each : pages) {
    if (&each == &page) continue;
    const bool mentioned =
        fmt::format("{}{}", page.description, page.exit_status)
                .find("pivotcheck " + each.command) != std::string::npos ||
        std::ranges::any_of(page.options, [&](const ManualOption& option) {
          return option.help.find("pivotcheck " + each.command) != std::string::npos;
        });
    if (page.command.empty() || each.command.empty() || mentioned) {
      result += ".BR " + troff(full_name(each)) + " (1),\n";
    }
  }
  return result + ".BR pivot_root (2),\n.BR mount_namespaces (7),\n.BR user_namespaces (7)\n";
}

std::string sentence(const std::string& text) { return with_first(text, std::toupper) + ".\n"; }

std::string to_man(const std::vector<ManualPage>& pages, const ManualPage& page,
                   const std::string& version) {
  std::string upper = full_name(page);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string result = fmt::format(
      ".\\\" Made by pivotcheck --man from what --help prints.\n"
      ".TH {} 1 \"\" \"{}\" \"User Commands\"\n.nh\n.ad l\n"
      ".SH NAME\n{} \\- {}\n"
      ".SH SYNOPSIS\n\\fBpivotcheck{}\\fR {}\n"
      ".SH DESCRIPTION\n{}",
      troff(upper), version, troff(full_name(page)), troff(with_first(page.summary, std::tolower)),
      page.command.empty() ? "" : " " + page.command, troff(page.synopsis),
      troff(sentence(page.summary)));
  result += paragraphs(page.description);
  if (page.command.empty()) {
    result += ".SH SUBCOMMANDS\n";
    for (const ManualPage& each : pages) {
      if (each.command.empty()) continue;
      result += ".TP\n.BR " + troff(full_name(each)) + " (1)\n" + troff(sentence(each.summary));
    }
  }
  result += ".SH OPTIONS\n";
  for (const ManualOption& option : page.options) {
    if (!option.names.empty() || !option.help.empty()) result += tagged(option);
  }
  result += ".SH EXIT STATUS\n";
  result +=
      page.exit_status.empty()
          ? "0, or 2 for bad usage and for a file that can\\(aqt be read, or 3 if the results "
            "can\\(aqt be\nwritten.\n"
          : troff(page.exit_status) + "\n";
  return result + see_also(pages, page);
}

}  // namespace

std::vector<ManualPage> manual_pages(const CommandSpec& program) {
  std::vector<ManualPage> pages{page_of(program, true)};
  for (const CommandSpec& each : program.subcommands) {
    pages.push_back(each.name == "switch" ? page_of_usage(each.name, switch_usage())
                                          : page_of(each, false));
  }
  return pages;
}

std::optional<std::string> man_page(const CommandSpec& program, std::string_view command) {
  const std::vector<ManualPage> pages = manual_pages(program);
  const auto page = std::ranges::find(pages, command, &ManualPage::command);
  if (page == pages.end()) return std::nullopt;
  return to_man(pages, *page, program.version.substr(0, program.version.find(" (")));
}

std::optional<ExitStatus> print_manual(const CommandSpec& program,
                                       const std::vector<std::string_view>& words) {
  const bool is_man = !words.empty() && words[0] == "--man" && words.size() <= 2;
  const bool is_completion = words.size() == 2 && words[0] == "--completion";
  if (!is_man && !is_completion) return std::nullopt;
  const std::string_view name = words.size() == 2 ? words[1] : "";
  const auto text = is_man ? man_page(program, name) : completion(program, name);
  if (!text) {
    const std::string_view wrong =
        is_man ? "--man: there is no subcommand" : "--completion takes bash, zsh or fish, not";
    return complain(fmt::format("{} {}", wrong, name), ExitStatus::bad_usage);
  }
  print(*text);
  return ExitStatus::agreed;
}

}  // namespace pivotcheck::cli

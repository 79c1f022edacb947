// SPDX-License-Identifier: Apache-2.0
// completion.cc: the completion of the command line in bash, zsh and fish, from the pages of the
// manual. A script has no code of its own for a subcommand, only rows: what the subcommand, or the
// value of an option, is completed with.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <vector>

#include "manual.h"

namespace pivotcheck::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// In single quotes, in which the shell writes an apostrophe as `apostrophe`.
std::string quoted(std::string_view text, std::string_view apostrophe) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'')
      result += apostrophe;
    else
      result += c;
  }
  return result + "'";
}

// With a backslash before each of `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

// --- bash ----------------------------------------------------------------------------------------

constexpr std::string_view bash_start = R"(# Made by: pivotcheck --completion bash

# _pivotcheck_offer KIND WORDS: completes the word $cur.
_pivotcheck_offer() {
  local before=
  case $1 in
    words) mapfile -t COMPREPLY < <(compgen -W "$2" -- "$cur") ;;
    list)
      [[ $cur != *,* ]] || before=${cur%,*},
      compopt -o nospace 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -P "$before" -W "$2" -- "${cur##*,}") ;;
    folders)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    files)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
  esac
}

_pivotcheck() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= ended= i
  COMPREPLY=()
  # --option=value is three words to bash.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ ${COMP_WORDS[i]} == -- ]]; then
      ended=yes
    elif [[ -z $command && ${COMP_WORDS[i]} != -* ]]; then
      command=${COMP_WORDS[i]}
    fi
  done
  if [[ -n $ended ]]; then
    _pivotcheck_offer files
    return
  fi
  case "$command $before" in
)";

constexpr std::string_view bash_middle = R"(  esac
  if [[ $cur == -* ]]; then
    case $command in
)";

constexpr std::string_view bash_end = R"(    esac
    return
  fi
  case $command in
)";

std::string_view kind(Offer offer) {
  switch (offer) {
    case Offer::nothing: return "nothing";
    case Offer::words: return "words";
    case Offer::list: return "list";
    case Offer::folders: return "folders";
    case Offer::files: return "files";
  }
  return "";
}

std::string bash_offer(const ManualOption& option) {
  if (option.words.empty()) return fmt::format("_pivotcheck_offer {}", kind(option.offer));
  return fmt::format("_pivotcheck_offer {} '{}'", kind(option.offer), joined(option.words));
}

std::string bash(const std::vector<ManualPage>& pages) {
  std::string values;
  std::string options;
  std::string positionals;
  std::vector<std::string> commands;
  for (const ManualPage& page : pages) {
    std::vector<std::string> names;
    bool has_positional = false;
    for (const ManualOption& option : page.options) {
      names.insert(names.end(), option.names.begin(), option.names.end());
      if (option.names.empty() && !has_positional) {  // of several, the first says what they are
        positionals += fmt::format("    {}) {} ;;\n", page.command, bash_offer(option));
        has_positional = true;
      }
      for (const std::string& name : option.names) {
        if (option.value.empty()) continue;
        values +=
            fmt::format("    '{} {}') {}; return ;;\n", page.command, name, bash_offer(option));
      }
    }
    options +=
        fmt::format("      '{}') _pivotcheck_offer words '{}' ;;\n", page.command, joined(names));
    if (!page.command.empty()) commands.push_back(page.command);
  }
  positionals += fmt::format("    '') _pivotcheck_offer words '{}' ;;\n", joined(commands));
  return fmt::format("{}{}{}{}{}{}  esac\n}}\ncomplete -F _pivotcheck pivotcheck\n", bash_start,
                     values, bash_middle, options, bash_end, positionals);
}

// --- zsh -----------------------------------------------------------------------------------------

std::string zsh_action(const ManualOption& option) {
  switch (option.offer) {
    case Offer::nothing: return " ";
    case Offer::words: return "(" + joined(option.words) + ")";
    case Offer::list: return "_sequence compadd - " + joined(option.words);
    case Offer::folders: return "_files -/";
    case Offer::files: return "_files";
  }
  return "";
}

std::string zsh_word(std::string_view text) { return quoted(text, R"('\'')"); }

// The arguments of _arguments: '--name=[help]:VALUE:action' for each name, 'N:VALUE:action' for the
// Nth word, '*:VALUE:action' for all that are left.
std::string zsh_specs(const std::vector<ManualOption>& options) {
  std::vector<std::string> specs;
  int positionals = 0;
  for (const ManualOption& option : options) {
    const std::string value =
        option.value.empty() ? "" : ":" + escaped(option.value, ":\\") + ":" + zsh_action(option);
    const std::string help = "[" + escaped(option.help, "[]:\\") + "]";
    for (std::string name : option.names) {
      if (name.starts_with("--") && !value.empty()) name += "=";
      if (!value.empty()) name.insert(0, "*");  // it may be given again
      specs.push_back(zsh_word(name + help + value));
    }
    if (option.names.empty()) {
      const bool is_many = option.value.find("...") != std::string::npos;
      specs.push_back(zsh_word((is_many ? "*" : std::to_string(++positionals)) + value));
    }
  }
  return fmt::format(" \\\n        {}", fmt::join(specs, " \\\n        "));
}

std::string zsh(const std::vector<ManualPage>& pages) {
  std::string commands;
  std::string cases;
  for (const ManualPage& page : pages) {
    if (page.command.empty()) continue;
    commands += fmt::format("    {}:{}\n", page.command, zsh_word(page.summary));
    cases += fmt::format("    {})\n      _arguments{} ;;\n", page.command, zsh_specs(page.options));
  }
  return fmt::format(
      "#compdef pivotcheck\n# Made by: pivotcheck --completion zsh\n"
      "_pivotcheck() {{\n  local state line\n  local -a commands\n  commands=(\n{}  )\n"
      "  _arguments -C{} \\\n        '1:subcommand:->command' '*::argument:->argument'\n"
      "  case $state in\n    command) _describe subcommand commands; return ;;\n"
      "    argument) ;;\n    *) return ;;\n  esac\n"
      "  case $words[1] in\n{}  esac\n}}\n_pivotcheck \"$@\"\n",
      commands, zsh_specs(pages.front().options), cases);
}

// --- fish ----------------------------------------------------------------------------------------

std::string fish_text(std::string_view text) { return quoted(escaped(text, "\\"), "\\'"); }

std::string fish_action(const ManualOption& option) {
  switch (option.offer) {
    case Offer::nothing: return " -x";
    case Offer::words: return fmt::format(" -x -a '{}'", joined(option.words));
    case Offer::list: return fmt::format(" -x -a '(__fish_append , {})'", joined(option.words));
    case Offer::folders: return " -x -a '(__fish_complete_directories)'";
    case Offer::files: return " -r -F";
  }
  return "";
}

std::string fish(const std::vector<ManualPage>& pages) {
  std::string result = "# Made by: pivotcheck --completion fish\n";
  for (const ManualPage& page : pages) {
    const std::string where = page.command.empty() ? "__fish_use_subcommand"
                                                   : "__fish_seen_subcommand_from " + page.command;
    const std::string line = fmt::format("complete -c pivotcheck -n '{}'", where);
    const ManualOption* positional = nullptr;
    for (const ManualOption& option : page.options) {
      if (option.names.empty() && positional == nullptr) positional = &option;
      for (const std::string& name : option.names) {
        result += fmt::format("{} -{} {} -d {}{}\n", line, name.starts_with("--") ? 'l' : 's',
                              name.substr(name.find_first_not_of('-')), fish_text(option.help),
                              option.value.empty() ? "" : fish_action(option));
      }
    }
    if (!page.command.empty()) {
      result += fmt::format("complete -c pivotcheck -n __fish_use_subcommand -f -a {} -d {}\n",
                            page.command, fish_text(page.summary));
    }
    // Files are what fish offers by itself.
    if (positional == nullptr)
      result += line + " -f\n";
    else if (positional->offer != Offer::files)
      result += line + fish_action(*positional) + "\n";
  }
  return result;
}

}  // namespace

std::optional<std::string> completion(const CommandSpec& program, std::string_view shell) {
  const std::vector<ManualPage> pages = manual_pages(program);
  if (shell == "bash") return bash(pages);
  if (shell == "zsh") return zsh(pages);
  if (shell == "fish") return fish(pages);
  return std::nullopt;
}

}  // namespace pivotcheck::cli

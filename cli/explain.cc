// SPDX-License-Identifier: Apache-2.0
// explain.cc: `pivotcheck explain`: would pivot_root(NEW_ROOT, PUT_OLD) succeed, for a process or
// for the mountinfo of a bug report; if not, which rule refuses it, what would refuse it next, and
// which commands make it succeed. It changes nothing of the process or its mounts.
#include "explain/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "check/trial/probed_traits.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"
#include "explain/remedy.h"
#include "json.h"
#include "observe/process.h"
#include "output.h"
#include "traits.h"
#include "view/mount_names.h"

namespace pivotcheck::cli {
namespace {

using explain::Answer;
using explain::ProcessView;
using explain::Reason;

struct ExplainOptions {
  int pid = 0;
  std::string kernel;
  std::string trait_changes;
  std::string mountinfo;
  std::string root;
  std::string cwd;
  std::optional<std::string> caps;
  bool try_it = false;
  bool json = false;
  std::string new_root;
  std::string put_old;
};

// "sys_admin,CAP_SYS_CHROOT"; "none", "all". nullopt for a word that is no capability of ours.
std::optional<Capabilities> read_capabilities(const std::string& text) {
  if (text == "none" || text.empty()) return Capabilities{};
  if (text == "all") {
    return Capabilities{Capability::sys_admin, Capability::sys_chroot, Capability::dac};
  }
  Capabilities result;
  std::istringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (word.starts_with("cap_")) word.erase(0, 4);
    if (word.starts_with("dac_")) word = "dac";
    const auto capability = flag_named<Capability>(word);
    if (!capability) return std::nullopt;
    result.set(*capability);
  }
  return result;
}

// --- text output

std::string outcome_text(const explain::Possibility& one) {
  if (one.reason == nullptr) return to_string(one.outcome);
  return fmt::format("{} {}", to_string(one.outcome), one.reason->name);
}

std::string possible_text(const Answer& answer) {
  std::vector<std::string> texts;
  std::ranges::transform(answer.possible, std::back_inserter(texts), outcome_text);
  return fmt::format("{}", fmt::join(texts, ", or "));
}

std::string headline(const ExplainOptions& options, const Answer& answer) {
  const std::string call = fmt::format("pivot_root {} {}", explain::shell_word(options.new_root),
                                       explain::shell_word(options.put_old));
  switch (answer.conclusion) {
    case explain::Conclusion::would_succeed: return call + " would succeed.\n";
    case explain::Conclusion::refused:
      return fmt::format("{} would be refused: {}\n", call, possible_text(answer));
    case explain::Conclusion::cannot_tell:
      return fmt::format("{}: cannot tell{}{}\n", call, answer.possible.empty() ? "" : ": ",
                         possible_text(answer));
  }
  return "";
}

std::string reason_text(Reason reason) {
  return fmt::format("{} ({}; {})", reason->reason, to_string(reason->calls),
                     to_string(reason->source));
}

std::string propagation_text(const MountView& mount) {
  const std::string text = propagation_words(mount);
  return text.empty() ? "private" : text;
}

// Nothing if there are no lines.
void print_list(std::string_view title, const std::vector<std::string>& lines,
                std::string_view before_each = "  ") {
  if (lines.empty()) return;
  print(fmt::format("\n{}\n{}{}\n", title, before_each,
                    fmt::join(lines, fmt::format("\n{}", before_each))));
}

void print_mounts(const Answer& answer) {
  if (answer.mounts.empty()) return;
  print("\nThe mounts involved, with their lines in /proc/PID/mountinfo:\n");
  for (const explain::InvolvedMount& mount : answer.mounts) {
    if (!mount.seen) {
      print(fmt::format("  {}: not visible to the process\n", mount.what));
      continue;
    }
    print(fmt::format("  {} ({}):\n    {}\n", mount.what, propagation_text(mount.seen->mount),
                      mount.seen->text));
  }
}

void print_remedies(const Answer& answer) {
  if (!answer.further.empty()) {
    print("\nOnce that is fixed, these would refuse it next:\n");
    for (const Reason reason : answer.further) {
      print(fmt::format("  {} {}: {}\n", errno_name(reason->error), reason->name, reason->reason));
    }
  }
  print_list("Is the path right?", answer.questions);
  print_list(answer.conclusion == explain::Conclusion::cannot_tell
                 ? "To make it succeed in every case, run in this order:"
                 : "To make it succeed, run in this order:",
             answer.commands);
  if (answer.commands.empty() && answer.no_fix_for != nullptr) {
    print(fmt::format("\nNo command helps against {} with these arguments.\n",
                      answer.no_fix_for->name));
  }
}

void print_answer(const ExplainOptions& options, const ProcessView& process, const Answer& answer) {
  print(headline(options, answer));
  if (answer.first.reason != nullptr) print("\n" + reason_text(answer.first.reason) + "\n");
  if (!answer.advice.empty()) print(answer.advice + "\n");
  print_list("Not visible from outside:", answer.cannot_tell, "  - ");
  print_list("Whatever the mounts are, it may also be refused; not visible from outside:",
             answer.may_refuse, "  - ");
  if (!answer.cannot_tell.empty() && !process.offline && !options.try_it) {
    print("--try finds out, in a copy of the mount namespace.\n");
  }
  print_mounts(answer);
  if (process.is_first_namespace && !answer.commands.empty() &&
      answer.first.reason != &explain::root_is_rootfs) {
    print(
        "\nThis is the mount namespace of PID 1, whose mounts all other programs use: better make "
        "one "
        "of\nyour own for the commands (unshare --mount).\n");
  }
  print_remedies(answer);
  print_list("Before:", answer.before);
  print_list("After:", answer.after);
  for (const std::string& note : process.notes) print("Note: " + note + ".\n");
}

Json json_of(const explain::InvolvedMount& mount) {
  Json object = Json::object({{"what", mount.what}});
  if (!mount.seen) return object;
  const MountView& view = mount.seen->mount;
  object["id"] = view.id;
  object["mount_point"] = view.mount_point;
  object["propagation"] = propagation_text(view);
  object["line"] = mount.seen->text;
  return object;
}

Json json_of(const ProcessView& process, const Answer& answer) {
  const Reason reason =
      answer.conclusion == explain::Conclusion::refused ? answer.first.reason : nullptr;
  Json object = Json::object({{"verdict", explain::name(answer.conclusion)}});
  if (reason != nullptr) object["rule"] = reason->name;
  if (answer.conclusion == explain::Conclusion::refused) {
    object["errno"] = to_string(answer.first.outcome);
  }
  for (const char* key : {"mounts", "further"}) object[key] = Json::array();
  for (const auto& mount : answer.mounts) object["mounts"].push_back(json_of(mount));
  for (const Reason further : answer.further) object["further"].push_back(further->name);
  object["commands"] = answer.commands;
  object["cannot_tell"] = answer.cannot_tell;
  if (!answer.may_refuse.empty()) object["may_refuse"] = answer.may_refuse;
  if (answer.possible.size() > 1) {
    for (const auto& one : answer.possible) object["possible"].push_back(outcome_text(one));
  }
  if (reason != nullptr) object["reason"] = reason->reason;
  set(object, "advice", answer.advice);
  if (answer.no_fix_for != nullptr) object["unmended"] = answer.no_fix_for->name;
  if (!answer.before.empty()) object["before"] = answer.before;
  if (!answer.after.empty()) object["after"] = answer.after;
  if (!answer.questions.empty()) object["questions"] = answer.questions;
  object["first_namespace"] = process.is_first_namespace;
  object["notes"] = process.notes;
  return object;
}

// --- options and input

// By the release: nothing is probed unless --trait asks for it, because somebody who asks why a
// call fails does not expect others to be made.
std::expected<KernelTraits, std::string> traits_of(const ExplainOptions& options) {
  auto release = std::optional(running_release());
  if (!options.kernel.empty()) release = parse_release(options.kernel);
  if (!release) return std::unexpected("--kernel " + options.kernel + ": N.N or N.N.N is wanted");
  const auto traits = traits_with(KernelTraits::for_release(*release), options.trait_changes);
  if (!traits) return std::unexpected("--trait: " + traits.error().what);
  return *traits;
}

// As read_file(): a pipe, too, which has no name to open again.
std::string read_standard_input() {
  std::string text;
  std::array<char, 16 * 1024> part;
  while (true) {
    const ssize_t length = ::read(STDIN_FILENO, part.data(), part.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return "";
    errno = 0;
    if (length == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(length));
  }
}

std::expected<ProcessView, std::string> offline_view(const ExplainOptions& options,
                                                     const KernelTraits& traits) {
  if (options.pid != 0) return std::unexpected("--mountinfo and --pid exclude each other");
  if (options.try_it) return std::unexpected("--mountinfo and --try exclude each other");
  if (!options.root.starts_with('/')) {
    return std::unexpected(options.root.empty() ? "--mountinfo needs --root DIR"
                                                : "--root: an absolute path is wanted");
  }
  if (!options.cwd.empty() && !options.cwd.starts_with('/')) {
    return std::unexpected("--cwd: an absolute path is wanted");
  }
  explain::OfflineQuestion query{.root = options.root,
                                 .current_directory = options.cwd,
                                 .traits = traits,
                                 .new_root = options.new_root,
                                 .put_old = options.put_old};
  if (options.caps) {
    const auto capabilities = read_capabilities(*options.caps);
    if (!capabilities) {
      return std::unexpected("--caps " + *options.caps +
                             ": a list of sys_admin, sys_chroot, dac, or all, or none is wanted");
    }
    query.capabilities = *capabilities;
  }
  const bool is_stdin = options.mountinfo == "-";
  const std::string name = is_stdin ? "standard input" : options.mountinfo;
  errno = 0;
  const std::string text = is_stdin ? read_standard_input() : read_file(options.mountinfo);
  if (errno != 0) return std::unexpected(name + ": can't be read: " + errno_name(errno));
  auto process = explain::view_mountinfo(text, query);
  if (!process) return std::unexpected(name + ": " + process.error());
  return process;
}

ExitStatus status_of(const Answer& answer) {
  switch (answer.conclusion) {
    case explain::Conclusion::would_succeed: return ExitStatus::agreed;
    case explain::Conclusion::refused: return ExitStatus::disagreed;
    case explain::Conclusion::cannot_tell: return ExitStatus::nothing_ran;
  }
  return ExitStatus::harness;
}

ExitStatus bad_usage(const std::string& why) {
  return complain("explain: " + why, ExitStatus::bad_usage);
}

std::string what_to_do(int error) {
  switch (error) {
    case EMFILE: return "; raise the limit of open files (ulimit -n)";
    case ENFILE: return "; the machine has too many open files (fs.file-max)";
    case EAGAIN:
    case ENOMEM: return "; raise the limits of processes and memory, or try again";
    case EACCES: return "; ask as root, or as the user of the process";
    case EPERM: return "; ask as root, or outside of the seccomp filter or sandbox (with --pid)";
    case ENOSYS: return "; ask outside of the seccomp filter that hides this call (with --pid)";
    default: return "";
  }
}

// The process exists, but this caller may not look at it, or not act as it; or a look failed.
ExitStatus cannot_inspect(const ExplainOptions& options, Failure failure) {
  failure.what += what_to_do(failure.error);
  if (options.json) {
    print(line({{"verdict", explain::name(explain::Conclusion::cannot_tell)},
                {"mounts", Json::array()},
                {"further", Json::array()},
                {"commands", Json::array()},
                {"cannot_tell", Json::array({failure.what})}}));
  }
  return complain("explain: cannot tell: " + failure.what, ExitStatus::nothing_ran);
}

// What --try found: the kernel's outcome, or why it was not asked.
struct Tried {
  std::optional<Outcome> outcome;
  std::string not_tried;
  bool agrees = true;  // with one of the outcomes that the rules allow

  [[nodiscard]] std::string text() const {
    if (!outcome) return "Not tried: " + not_tried + ".";
    return fmt::format("Tried in a copy of the mount namespace: {}.{}", to_string(*outcome),
                       agrees ? "" : " The rules say something else: please report it.");
  }

  void add_to(Json& object) const {
    object["tried"] = outcome.has_value();
    if (outcome) object["tried_outcome"] = to_string(*outcome);
    if (outcome) object["agrees"] = agrees;
    set(object, "not_tried", not_tried);
  }
};

// Asks the kernel, in a copy of the namespace. Its answer replaces the one of the rules.
Expected<Tried> try_it(const ExplainOptions& options, const ProcessView& process, Answer& answer) {
  if (!process.may_mount) {
    return Tried{.outcome = {}, .not_tried = "without the capability the outcome is certain"};
  }
  if (options.pid != 0 && !process.unseen_refusals.empty()) {
    return Tried{.outcome = {},
                 .not_tried = "this command can't take on the filter or profile of the process"};
  }
  const auto outcome = dry_run_pivot_root(options.pid, options.new_root, options.put_old);
  if (!outcome) return std::unexpected(outcome.error());
  const bool known = std::ranges::any_of(
      answer.possible, [&](const explain::Possibility& one) { return one.outcome == *outcome; });
  explain::apply_trial_result(answer, process, *outcome);
  return Tried{.outcome = *outcome, .not_tried = "", .agrees = known};
}

ExitStatus explain_it(const ExplainOptions& options) {
  const auto traits = traits_of(options);
  if (!traits) return bad_usage(traits.error());
  if (options.try_it && !options.kernel.empty()) {
    return bad_usage("--try asks the running kernel: it can't be used with --kernel");
  }
  std::expected<ProcessView, std::string> process;
  if (!options.mountinfo.empty()) {
    process = offline_view(options, *traits);
    if (!process) return bad_usage(process.error());
  } else {
    if (!options.root.empty() || !options.cwd.empty() || options.caps) {
      return bad_usage("--root, --cwd and --caps need --mountinfo");
    }
    if (options.pid != 0 && !process_exists(options.pid)) {
      return bad_usage(fmt::format("there is no process {}", options.pid));
    }
    auto live = explain::view_process(options.pid, {options.new_root}, {options.put_old}, *traits);
    if (!live) return cannot_inspect(options, live.error());
    process = std::move(*live);
  }
  Answer answer = explain::explain(*process);
  std::optional<Tried> tried;
  if (options.try_it) {
    const auto found = try_it(options, *process, answer);
    if (!found) return cannot_inspect(options, found.error());
    tried = *found;
  }
  if (options.json) {
    Json object = json_of(*process, answer);
    if (tried) tried->add_to(object);
    print(line(object));
  } else {
    print_answer(options, *process, answer);
    if (tried) print("\n" + tried->text() + "\n");
  }
  return tried && !tried->agrees ? ExitStatus::contradicted : status_of(answer);
}

}  // namespace

CommandSpec explain_command() {
  auto options = std::make_shared<ExplainOptions>();
  return {
      .name = "explain",
      .summary = "Would pivot_root NEW_ROOT PUT_OLD succeed; if not, why, and which commands help",
      .options = {{"--pid",
                   &options->pid,
                   "the process that would call it (default: this one)",
                   {.min = 1}},
                  {"--kernel", &options->kernel, "answer for this version of the kernel"},
                  trait_option(&options->trait_changes),
                  {"--mountinfo", &options->mountinfo,
                   "answer for the text of /proc/PID/mountinfo in this FILE (-: standard input)"},
                  {"--root", &options->root, "with --mountinfo: the root of the process"},
                  {"--cwd", &options->cwd,
                   "with --mountinfo: its current directory (default: its root)"},
                  {"--caps", &options->caps,
                   "with --mountinfo: its capabilities, of sys_admin,sys_chroot,dac, or "
                   "none (default: all)"},
                  {"--try", &options->try_it, "check the answer in a copy of the mount namespace"},
                  {"--json", &options->json, "print one JSON object"},
                  {"NEW_ROOT", &options->new_root, "", {.required = true}},
                  {"PUT_OLD", &options->put_old, "", {.required = true}}},
      .footer =
          "Exit status: 0 it would succeed, 1 it would be refused, 2 bad usage, 4 cannot tell,\n"
          "5 --try found what the rules exclude.\n"
          "Run the printed commands from the process's root and current directory. If the last one "
          "is\npivot_root, it replaces your own call.",
      .run = [options] { return explain_it(*options); }};
}

}  // namespace pivotcheck::cli

// SPDX-License-Identifier: Apache-2.0
// explain.cc: `pivotcheck explain`: would pivot_root(NEW_ROOT, PUT_OLD) succeed, for a process or
// for the mountinfo of a bug report; if not, which rule refuses it, what would refuse it next, and
// which commands make it succeed. It changes nothing of the process or its mounts.
#include "explain/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"
#include "explain/remedy.h"
#include "json.h"
#include "observe/process.h"
#include "output.h"
#include "view/mount_names.h"

namespace pivotcheck::cli {
namespace {

using explain::Answer;
using explain::ProcessView;
using explain::Reason;

struct ExplainOptions {
  int pid = 0;
  std::string kernel;
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
      return fmt::format("{}: cannot tell: {}\n", call, possible_text(answer));
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
  if (!answer.cannot_tell.empty() && !process.offline && !options.try_it) {
    print("--try finds out, in a copy of the mount namespace.\n");
  }
  print_mounts(answer);
  print_remedies(answer);
  print_list("Before:", answer.before);
  print_list("After:", answer.after);
  if (process.is_first_namespace && !answer.commands.empty() &&
      answer.first.reason != &explain::root_is_rootfs) {
    print(
        "\nThis is the mount namespace of PID 1: use one of your own instead (unshare --mount).\n");
  }
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

std::string json_of(const ProcessView& process, const Answer& answer) {
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
  if (answer.possible.size() > 1) {
    for (const auto& one : answer.possible) object["possible"].push_back(outcome_text(one));
  }
  if (reason != nullptr) object["reason"] = reason->reason;
  set(object, "advice", answer.advice);
  if (answer.no_fix_for != nullptr) object["unmended"] = answer.no_fix_for->name;
  if (!answer.before.empty()) object["before"] = answer.before;
  if (!answer.after.empty()) object["after"] = answer.after;
  object["notes"] = process.notes;
  return line(object);
}

// --- options and input

std::expected<KernelTraits, std::string> traits_of(const std::string& kernel) {
  if (kernel.empty()) return KernelTraits::for_release(running_release());
  const auto release = parse_release(kernel);
  if (!release) return std::unexpected("--kernel " + kernel + ": N.N or N.N.N is wanted");
  return KernelTraits::for_release(*release);
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
  errno = 0;
  const std::string text = read_file(options.mountinfo);
  if (errno != 0) {
    return std::unexpected(options.mountinfo + ": can't be read: " + errno_name(errno));
  }
  auto process = explain::view_mountinfo(text, query);
  if (!process) return std::unexpected(options.mountinfo + ": " + process.error());
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

// The process exists, but this caller may not look at it, or not act as it.
ExitStatus cannot_inspect(const ExplainOptions& options, const Failure& failure) {
  if (options.json) {
    print(line({{"verdict", explain::name(explain::Conclusion::cannot_tell)},
                {"mounts", Json::array()},
                {"further", Json::array()},
                {"commands", Json::array()},
                {"cannot_tell", Json::array({failure.what})}}));
  }
  return complain("explain: cannot tell: " + failure.what, ExitStatus::nothing_ran);
}

// Asks the kernel, in a copy of the namespace. Its answer replaces the one of the rules.
Expected<std::string> try_it(const ExplainOptions& options, const ProcessView& process,
                             Answer& answer) {
  if (!process.may_mount) return "Not tried: without the capability the outcome is certain.";
  if (options.pid != 0 && !process.unseen_refusals.empty()) {
    return "Not tried: this command can't take on the filter or profile of the process.";
  }
  const auto outcome = dry_run_pivot_root(options.pid, options.new_root, options.put_old);
  if (!outcome) return std::unexpected(outcome.error());
  const bool known = std::ranges::any_of(
      answer.possible, [&](const explain::Possibility& one) { return one.outcome == *outcome; });
  explain::apply_trial_result(answer, process, *outcome);
  return fmt::format("Tried in a copy of the mount namespace: {}.{}", to_string(*outcome),
                     known ? "" : " The rules say something else: please report it.");
}

ExitStatus explain_it(const ExplainOptions& options) {
  const auto traits = traits_of(options.kernel);
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
  std::string tried;
  if (options.try_it) {
    const auto outcome = try_it(options, *process, answer);
    if (!outcome) return cannot_inspect(options, outcome.error());
    tried = *outcome;
  }
  if (options.json) {
    print(json_of(*process, answer));
  } else {
    print_answer(options, *process, answer);
    if (!tried.empty()) print("\n" + tried + "\n");
  }
  return status_of(answer);
}

}  // namespace

CommandSpec explain_command() {
  auto options = std::make_shared<ExplainOptions>();
  return {
      .name = "explain",
      .summary = "Would pivot_root NEW_ROOT PUT_OLD succeed; if not, why, and which commands help",
      .options = {{"--pid", &options->pid,
                   "the process that would call it (default: this one)", {.min = 1}},
                  {"--kernel", &options->kernel, "answer for this version of the kernel"},
                  {"--mountinfo", &options->mountinfo,
                   "answer for the text of /proc/PID/mountinfo in this FILE"},
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
          "Exit status: 0 it would succeed, 1 it would be refused, 2 bad usage, 4 cannot tell.\n"
          "Run the printed commands from the process's root and current directory. If the last one "
          "is\npivot_root, it replaces your own call.",
      .run = [options] { return explain_it(*options); }};
}

}  // namespace pivotcheck::cli

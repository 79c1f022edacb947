// SPDX-License-Identifier: Apache-2.0
// explore_fuzzers.cc: the build of the target, its processes, and what they leave.
#include "explore_fuzzers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/wait_status.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

constexpr int case_timeout_s = 120;  // libFuzzer's own; as long as Supervisor waits

UniqueFd memory_file() { return UniqueFd(::memfd_create("messages", MFD_CLOEXEC)); }

// The end of what a process printed, where the cause of its death is.
std::string last_messages(int file) {
  constexpr off_t enough = 65536;
  const off_t size = ::lseek(file, 0, SEEK_END);
  const off_t from = std::max<off_t>(size - enough, 0);
  std::string text(static_cast<std::size_t>(std::max<off_t>(size - from, 0)), '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

std::string last_line(const std::string& text) {
  const std::size_t last = text.find_last_not_of('\n');
  if (last == std::string::npos) return "";
  const std::size_t before = text.rfind('\n', last);
  const std::size_t from = before == std::string::npos ? 0 : before + 1;
  return text.substr(from, last + 1 - from);
}

// What follows the last `label`, up to the end of the line; "" if it is not there.
std::string text_after(const std::string& text, std::string_view label) {
  const std::size_t at = text.rfind(label);
  if (at == std::string::npos) return "";
  const std::size_t from = at + label.size();
  return text.substr(from, text.find('\n', from) - from);
}

// Writes the input that a process was at. False if it was at none.
bool keep_input_under_way(const FuzzerSlot& slot, const std::string& path) {
  const std::uint64_t begun = slot.begun;
  if (begun == 0) return false;
  const FuzzerRecent& last = slot.recent[(begun - 1) % fuzzer_recent];
  if (last.finished_ms != 0) return false;
  const std::size_t size = std::min<std::size_t>(last.size, fuzzer_input_max);
  return write_file(path, {last.text.data(), size});
}

}  // namespace

Fuzzers::Fuzzers(FuzzerOptions options, SharedMemory<Findings>& findings, int pipe,
                 OnFailure failed)
    : options_(std::move(options)), findings_(findings), pipe_(pipe), failed_(std::move(failed)) {}

void Fuzzers::start() {
  if (options_.jobs == 0) return;
  std::error_code error;
  std::filesystem::create_directories(options_.corpus, error);
  if (error) {
    options_.jobs = 0;
    return failed_(fmt::format("corpus {} can't be made: {}; libFuzzer does not run",
                               options_.corpus, errno_name(error.value())));
  }
  if (const std::string why = why_not_writable(options_.corpus); !why.empty()) {
    failed_(
        fmt::format("corpus {}: {}: new inputs are lost, the rest goes on", options_.corpus, why));
  }
  if (const CorpusFolder found = read_corpus(options_.corpus); !found.bad.empty()) {
    complain(
        fmt::format("corpus {}: {} of {} files are no scenarios and are passed over, such as {}",
                    options_.corpus, found.bad.size(), found.bad.size() + found.good.size(),
                    found.first_error));
  }
  if (options_.build.empty()) {
    start_processes();
  } else {
    start_build();
  }
}

// --- the build of the target

// In a process group of its own, so that the compilers end with it.
void Fuzzers::start_build() {
  build_messages_ = memory_file();
  auto build = ChildProcess::start([this] {
    ::setpgid(0, 0);
    const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    redirect(nothing.get(), STDIN_FILENO);
    redirect(build_messages_.get(), STDOUT_FILENO);
    redirect(build_messages_.get(), STDERR_FILENO);
    ::execl("/bin/sh", "sh", "-c", options_.build.c_str(), nullptr);
    ::_exit(127);
  });
  if (!build) {
    options_.missing = build.error().what;
    return failed_(options_.missing);
  }
  build_ = std::move(*build);
  ::setpgid(build_.pid(), build_.pid());  // in both, because either may be the first
}

void Fuzzers::finish_build(int wait_status) {
  if (wait_status == 0) return start_processes();
  options_.missing = "its build " + describe_wait_status(wait_status);
  complain(fmt::format("libFuzzer DOES NOT RUN: {}:\n{}", options_.missing,
                       last_messages(build_messages_.get())));
}

void Fuzzers::stop_building() {
  if (!is_building()) return;
  options_.missing = "its build was not finished";
  ::kill(-build_.pid(), SIGTERM);
  constexpr std::int64_t patience_ms = 2000;
  build_.wait_until(now_ms() + patience_ms);
}

// --- its processes

void Fuzzers::start_processes() {
  for (std::size_t i = 0; i < options_.jobs; ++i) {
    slots_.push_back(std::make_unique<Process>());
    slots_.back()->messages = memory_file();
  }
  started_ms_ = now_ms();
  processes_.emplace(
      options_.jobs, findings_->stop,
      Supervisor::Callbacks{
          .run = [this](std::size_t i) {
    exec_target(i); },
          .alive_ms = [this](std::size_t i) -> auto& { return slots_[i]->slot->alive_ms;
}
, .lost = [this](std::size_t i, const std::string& how) { report_lost(i, how); }, .failed = failed_
}  // namespace pivotcheck::cli
);
processes_->start_all();
}

void Fuzzers::exec_target(std::size_t i) const {
  const Process& process = *slots_[i];
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  redirect(nothing.get(), STDIN_FILENO);
  redirect(process.messages.get(), STDERR_FILENO);
  redirect(findings_.fd(), FuzzerLink::findings);
  redirect(process.slot.fd(), FuzzerLink::slot);
  redirect(pipe_, FuzzerLink::pipe);
  const std::string link =
      fmt::format("{}/{} {} {} {}", i, slots_.size(), options_.privilege,
                  options_.recipes ? "recipes" : "no-recipes", options_.artifacts);
  ::setenv(FuzzerLink::variable, link.c_str(), 1);
  const std::uint64_t seed = options_.seed + static_cast<std::uint64_t>(processes_->started());
  std::vector<std::string> words{
      options_.target, fmt::format("-max_len={}", fuzzer_input_max),
      fmt::format("-seed={}", seed % UINT32_MAX), fmt::format("-timeout={}", case_timeout_s),
      fmt::format("-artifact_prefix={}/libfuzzer-", options_.artifacts),
      // Ctrl-C is the parent's; the figures are in the shared memory.
      "-handle_int=0", "-handle_term=0", "-verbosity=0", "-reload=5", options_.corpus};
  if (!options_.seeds.empty()) words.push_back(options_.seeds);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(options_.target.c_str(), arguments.data());
  ::dprintf(STDERR_FILENO, "execv: %s\n", errno_name(errno).c_str());
  ::_exit(127);
}

bool Fuzzers::poll() {
  if (is_building()) {
    if (const auto end = build_.poll()) finish_build(end->wait_status);
    return true;
  }
  return processes_ && processes_->poll();
}

void Fuzzers::kill_rest() {
  if (processes_) processes_->kill_rest("did not end in time");
}

// Keeps the input that the process was at, reports what it printed last, and counts it.
void Fuzzers::report_lost(std::size_t i, const std::string& how) {
  const Process& process = *slots_[i];
  FuzzerSlot& slot = *process.slot;
  ++slot.counts.not_run;
  ++losses_;
  const std::string messages = last_messages(process.messages.get());
  (void)::ftruncate(process.messages.get(), 0);  // for the process that takes its place
  ::lseek(process.messages.get(), 0, SEEK_SET);
  // What libFuzzer kept is a scenario; with this ending, `run DIR` finds it.
  std::string path = text_after(messages, "Test unit written to ");
  if (!path.empty() && ::rename(path.c_str(), (path + ".scn").c_str()) == 0) {
    path += ".scn";
  } else {
    path = fmt::format("{}/lost-libfuzzer-{}.scn", options_.artifacts, losses_);
    if (!keep_input_under_way(slot, path)) path = "between two cases";
  }
  std::string cause = text_after(messages, "ERROR: ");
  if (cause.empty()) cause = last_line(messages);
  failed_(fmt::format("a libFuzzer process {}: {}{}", how, path,
                      cause.empty() ? "" : " (" + cause + ")"));
}

Reduced Fuzzers::reduce(std::int64_t deadline_ms) {
  if (!processes_) return {};
  const CorpusFolder found = read_corpus(options_.corpus);
  std::size_t damaged = 0;  // libFuzzer does not say when a file could not be written whole
  for (const CorpusFile& file : found.bad) {
    if (file.by_libfuzzer && ::unlink(file.path.c_str()) == 0) ++damaged;
  }
  if (const std::string why = why_not_writable(options_.corpus); !why.empty()) {
    failed_(fmt::format("corpus {}: {}: at least {} new inputs were lost", options_.corpus, why,
                        damaged));
  } else if (damaged > 0) {
    complain(fmt::format("corpus {}: {} damaged files removed", options_.corpus, damaged));
  }
  Reduced reduced = reduce_corpus({options_.target, options_.corpus, options_.seeds, deadline_ms});
  if (!reduced.error.empty()) {
    complain(fmt::format("corpus {}: {}", options_.corpus, reduced.error));
  }
  return reduced;
}

// --- what they have done

Counts Fuzzers::counts() const {
  Counts sum;
  for (const auto& process : slots_) sum.add(process->slot->counts);
  return sum;
}

std::uint64_t Fuzzers::keep_recent(const std::string& folder, std::int64_t since_ms) const {
  std::uint64_t kept = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const FuzzerSlot& slot = *slots_[i]->slot;
    const std::uint64_t begun = slot.begun;
    for (std::uint64_t n = begun - std::min<std::uint64_t>(begun, fuzzer_recent); n < begun; ++n) {
      const FuzzerRecent& recent = slot.recent[n % fuzzer_recent];
      if (recent.finished_ms != 0 && recent.finished_ms < since_ms) continue;
      const std::size_t size = std::min<std::size_t>(recent.size, fuzzer_input_max);
      const std::string path = fmt::format("{}/libfuzzer-{}-{}.scn", folder, i, n);
      if (write_file(path, {recent.text.data(), size})) ++kept;
    }
  }
  return kept;
}

}  // namespace pivotcheck::cli

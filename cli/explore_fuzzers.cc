// SPDX-License-Identifier: Apache-2.0
// explore_fuzzers.cc: see explore_fuzzers.h.
#include "explore_fuzzers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/wait_status.h"
#include "explore.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

constexpr std::int64_t hang_ms = 120'000;  // as for workers
constexpr int losses_max = 20;

// The end of what a process said, where the cause of its death stands.
std::string last_words(int messages) {
  constexpr off_t enough = 65536;
  const off_t size = ::lseek(messages, 0, SEEK_END);
  const off_t from = std::max<off_t>(size - enough, 0);
  std::string text(static_cast<std::size_t>(std::max<off_t>(size - from, 0)), '\0');
  const ssize_t count = ::pread(messages, text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

// Behind those words, up to the end of the line; "" if they are not there.
std::string behind(const std::string& text, std::string_view words) {
  const std::size_t at = text.rfind(words);
  if (at == std::string::npos) return "";
  const std::size_t from = at + words.size();
  return text.substr(from, text.find('\n', from) - from);
}

}  // namespace

double cpu_seconds_of(const rusage& usage) {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Fuzzers::Fuzzers(FuzzerOptions options, SharedMemory<Findings>& findings, int pipe, SetupError trouble)
    : options_(std::move(options)), findings_(findings), pipe_(pipe), trouble_(std::move(trouble)) {
  if (!options_.target.empty()) processes_.resize(options_.jobs);
}

void Fuzzers::begin() {
  if (processes_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(options_.corpus, error);
  if (error) {
    trouble_(fmt::format("corpus {} can't be made: {}; libFuzzer does not run", options_.corpus,
                         errno_name(error.value())));
    return processes_.clear();
  }
  if (const std::string why = why_not_writable(options_.corpus); !why.empty()) {
    trouble_(
        fmt::format("corpus {}: {}: new inputs are lost, the rest goes on", options_.corpus, why));
  }
  if (const CorpusFolder found = look_at_corpus(options_.corpus); !found.bad.empty()) {
    complain(
        fmt::format("corpus {}: {} of {} files are no scenarios and are passed over, such as {}",
                    options_.corpus, found.bad.size(), found.bad.size() + found.good.size(),
                    found.first_trouble));
  }
  for (std::size_t i = 0; i < processes_.size(); ++i) start(i);
}

void Fuzzers::start(std::size_t number) {
  Process& process = processes_[number];
  if (!process.slot) process.slot = std::make_unique<SharedMemory<FuzzerSlot>>();
  FuzzerSlot& slot = **process.slot;
  slot.alive_ms = now_ms();
  process.messages.reset(::memfd_create("libFuzzer", MFD_CLOEXEC));
  ++started_;
  flush();
  const pid_t parent = ::getpid();
  process.pid = ::fork();
  if (process.pid > 0) return;
  if (process.pid < 0) return trouble_("fork: " + errno_name(errno));
  // A Ctrl-C at the terminal goes to all processes: the parent alone decides what it means.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_DFL);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) become(number);
  ::_exit(0);
}

void Fuzzers::become(std::size_t number) const {
  const Process& process = processes_[number];
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(process.messages.get(), STDERR_FILENO);
  ::dup2(findings_.fd(), FuzzerLink::findings);
  ::dup2(process.slot->fd(), FuzzerLink::slot);
  ::dup2(pipe_, FuzzerLink::pipe);
  const std::string link =
      fmt::format("{}/{} {} {} {}", number, processes_.size(), options_.privilege,
                  options_.recipes ? "recipes" : "no-recipes", options_.artifacts);
  ::setenv(FuzzerLink::variable, link.c_str(), 1);
  std::vector<std::string> words{
      options_.target, fmt::format("-max_len={}", fuzzer_input_max),
      fmt::format("-seed={}", (options_.seed + static_cast<std::uint64_t>(started_)) % UINT32_MAX),
      fmt::format("-timeout={}", hang_ms / 1000),
      fmt::format("-artifact_prefix={}/libfuzzer-", options_.artifacts),
      // Ctrl-C is the parent's, and what there is to say stands in the shared memory.
      "-handle_int=0", "-handle_term=0", "-verbosity=0", "-reload=5", options_.corpus};
  if (!options_.seeds.empty()) words.push_back(options_.seeds);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(options_.target.c_str(), arguments.data());
  ::dprintf(STDERR_FILENO, "execv: %s\n", errno_name(errno).c_str());
  ::_exit(127);
}

// --- processes that end, die or hang

bool Fuzzers::supervise() {
  bool working = false;
  for (std::size_t i = 0; i < processes_.size(); ++i) working = supervise(i) || working;
  return working;
}

bool Fuzzers::supervise(std::size_t number) {
  Process& process = processes_[number];
  if (process.pid < 0) return false;
  int status = 0;
  rusage usage{};
  const bool hangs = now_ms() - (*process.slot)->alive_ms > hang_ms;
  if (hangs) ::kill(process.pid, SIGKILL);
  if (::wait4(process.pid, &status, hangs ? 0 : WNOHANG, &usage) != process.pid) return true;
  process.pid = -1;
  cpu_seconds_ += cpu_seconds_of(usage);
  if (findings_->stop && WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  lost(number, hangs ? fmt::format("hung for {} s", hang_ms / 1000) : describe_wait_status(status));
  if (findings_->stop || ++losses_ > losses_max) return false;
  start(number);
  return processes_[number].pid > 0;
}

// Keeps the input that it was at, says what its last words were, and counts it.
void Fuzzers::lost(std::size_t number, const std::string& how) {
  Process& process = processes_[number];
  FuzzerSlot& slot = **process.slot;
  ++slot.counts.not_run;
  const std::string words = last_words(process.messages.get());
  std::string text = "a libFuzzer process " + how;
  // What libFuzzer kept is a scenario; with that name the command replays it.
  std::string path = behind(words, "Test unit written to ");
  if (!path.empty() && ::rename(path.c_str(), (path + ".scn").c_str()) == 0) {
    path += ".scn";
  } else {
    path = fmt::format("{}/lost-libfuzzer-{}.scn", options_.artifacts, started_);
    if (!keep_under_way(slot, path)) path = "between two cases";
  }
  text += ": " + path;
  std::string cause = behind(words, "ERROR: ");
  if (cause.empty()) {
    const std::size_t last = words.find_last_not_of('\n');
    if (last != std::string::npos) {
      const std::size_t from = words.rfind('\n', last);
      cause = words.substr(from == std::string::npos ? 0 : from + 1, last - from);
    }
  }
  trouble_(cause.empty() ? text : text + " (" + cause.substr(0, cause.find('\n')) + ")");
}

bool Fuzzers::keep_under_way(const FuzzerSlot& slot, const std::string& path) const {
  const std::uint64_t begun = slot.begun;
  if (begun == 0) return false;
  const FuzzerRecent& last = slot.recent[(begun - 1) % fuzzer_recent];
  if (last.finished_ms != 0) return false;
  const std::size_t size = std::min<std::size_t>(last.size, fuzzer_input_max);
  return write_file(path, {last.text.data(), size});
}

void Fuzzers::end() {
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    Process& process = processes_[i];
    if (process.pid < 0) continue;
    ::kill(process.pid, SIGKILL);
    ::waitpid(process.pid, nullptr, 0);
    process.pid = -1;
    lost(i, "did not end in time");
  }
}

Reduced Fuzzers::reduce(std::int64_t deadline_ms) {
  if (processes_.empty()) return {};
  const CorpusFolder found = look_at_corpus(options_.corpus);
  std::size_t damaged = 0;  // libFuzzer does not say when a file could not be written whole
  for (const CorpusFile& file : found.bad) {
    if (file.by_libfuzzer && ::unlink(file.path.c_str()) == 0) ++damaged;
  }
  if (const std::string why = why_not_writable(options_.corpus); !why.empty()) {
    trouble_(fmt::format("corpus {}: {}: at least {} new inputs were lost", options_.corpus, why,
                         damaged));
  } else if (damaged > 0) {
    complain(fmt::format("corpus {}: {} damaged files removed", options_.corpus, damaged));
  }
  Reduced reduced = reduce_corpus({options_.target, options_.corpus, options_.seeds, deadline_ms});
  if (!reduced.trouble.empty()) {
    complain(fmt::format("corpus {}: {}", options_.corpus, reduced.trouble));
  }
  return reduced;
}

// --- what they have done

Counts Fuzzers::counts() const {
  Counts sum;
  for (const Process& process : processes_) {
    if (process.slot) sum.add((*process.slot)->counts);
  }
  return sum;
}

std::uint64_t Fuzzers::keep_recent(const std::string& folder, std::int64_t since_ms) const {
  std::uint64_t kept = 0;
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (!processes_[i].slot) continue;
    const FuzzerSlot& slot = **processes_[i].slot;
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

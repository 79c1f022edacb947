// SPDX-License-Identifier: Apache-2.0
// explore_fuzzers.cc: the corpus folder; the build of the target, its processes, and what they
// leave.
#include "explore_fuzzers.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/wait_status.h"
#include "interruption.h"
#include "op/outcome.h"
#include "output.h"
#include "scenario/scenario.h"

namespace pivotcheck::cli {
namespace {

namespace fs = std::filesystem;

constexpr int control_fd = 103;  // beside those of FuzzerLink
constexpr int attempts_max = 8;  // a file that kills the process is passed over at the next attempt
constexpr std::size_t probe_bytes = fuzzer_input_max;
constexpr int case_timeout_s = 120;  // libFuzzer's own; as long as Supervisor waits

// The end of what a process printed, where the cause of its death is.
std::string last_messages(const UniqueFd& file) {
  constexpr std::size_t enough = 65536;
  const std::string text = read_file(fmt::format("/proc/self/fd/{}", file.get()));
  return text.substr(text.size() - std::min(text.size(), enough));
}

std::string last_line(const std::string& text) {
  const std::size_t last = text.find_last_not_of('\n');
  if (last == std::string::npos) return "";
  const std::size_t before = text.rfind('\n', last);
  return text.substr(before + 1, last - before);  // npos + 1 is 0
}

// What follows the last `label`, up to the end of the line; "" if it is not there.
std::string text_after(const std::string& text, std::string_view label) {
  const std::size_t at = text.rfind(label);
  if (at == std::string::npos) return "";
  const std::size_t from = at + label.size();
  return text.substr(from, text.find('\n', from) - from);
}

// In a child: nothing is read there, or written.
void silence(std::initializer_list<int> descriptors) {
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int descriptor : descriptors) redirect(nothing.get(), descriptor);
}

[[noreturn]] void exec(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  ::dprintf(STDERR_FILENO, "execv: %s\n", errno_name(errno).c_str());
  ::_exit(127);
}

bool keep(const FuzzerRecent& input, const std::string& path) {
  return write_file(path, {input.text.data(), std::min<std::size_t>(input.size, fuzzer_input_max)});
}

// Writes the input that a process was at. False if it was at none.
bool keep_input_under_way(const FuzzerSlot& slot, const std::string& path) {
  const std::uint64_t begun = slot.begun;
  if (begun == 0) return false;
  const FuzzerRecent& last = slot.recent[(begun - 1) % fuzzer_recent];
  return last.finished_ms == 0 && keep(last, path);
}

// --- the corpus folder
//
// libFuzzer keeps there what reached something new: one scenario in each file, named by its hash.
// The folder is kept between runs, may be cached, and may be in any state: a damaged file is passed
// over and reported, and only files that libFuzzer named are ever removed.

struct CorpusFile {
  std::string path;
  std::size_t bytes = 0;
  bool by_libfuzzer = false;  // has a name as libFuzzer gives them
};

struct CorpusFolder {
  std::vector<CorpusFile> good;  // scenarios; the shortest first
  std::vector<CorpusFile> bad;   // anything else
  std::string first_error;       // "FILE: what is wrong with it", of the first that is bad
};

bool is_hash(const std::string& name) {
  constexpr std::size_t sha1_digits = 40;
  return name.size() == sha1_digits &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// "" for a scenario; otherwise what is wrong with the file.
std::string error_in(const CorpusFile& file) {
  if (file.bytes == 0) return "is empty";
  if (file.bytes > fuzzer_input_max) return fmt::format("has more than {} bytes", fuzzer_input_max);
  const std::string text = read_file(file.path);
  if (text.size() != file.bytes) return "can't be read";
  const auto scenario = parse(text);
  if (!scenario) return fmt::format("line {}: {}", scenario.error().line, scenario.error().what);
  return "";
}

// The first line is for people, and must be one.
std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// Reads every file below the folder. One that is not there is an empty one.
CorpusFolder read_corpus(const std::string& folder) {
  CorpusFolder result;
  std::error_code error;
  constexpr auto options = fs::directory_options::skip_permission_denied;
  for (auto it = fs::recursive_directory_iterator(folder, options, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code gone;
    if (!it->is_regular_file(gone) || gone) continue;
    CorpusFile file{it->path().string(), static_cast<std::size_t>(it->file_size(gone)),
                    is_hash(it->path().filename().string())};
    if (gone || file.path.find('\n') != std::string::npos) continue;
    const std::string wrong = error_in(file);
    if (!wrong.empty() && result.first_error.empty()) {
      result.first_error = one_line(file.path + ": " + wrong);
    }
    (wrong.empty() ? result.good : result.bad).push_back(std::move(file));
  }
  std::ranges::sort(result.good, {},
                    [](const CorpusFile& file) { return std::tie(file.bytes, file.path); });
  return result;
}

// "" if a new file can be written there; otherwise the call that says no, and its errno.
std::string why_not_writable(const std::string& folder) {
  const UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) {
    // Some filesystems have no files without a name.
    if (errno != EOPNOTSUPP && errno != EISDIR) return "open: " + errno_name(errno);
    return ::access(folder.c_str(), W_OK) == 0 ? "" : "access: " + errno_name(errno);
  }
  const std::string bytes(probe_bytes, 'x');
  const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
  if (written == std::ssize(bytes)) return "";
  return "write: " + errno_name(written < 0 ? errno : ENOSPC);
}

// --- making it small again
//
// What libFuzzer calls a merge, in place: the inner step of -merge=1 is run alone, on a control
// file in memory, and says for each file which features are new with it. Not -merge=1 itself: that
// copies to a second folder, under new names, and runs its steps through a shell, which outlives us
// if we are killed.
//
//     2              <- number of files             STARTED 0 60
//     0              <- of these in the first       FT 0 12 13 40      <- new features
//     corpus/a          folder                      STARTED 1 75
//     corpus/b                                      FT 1               <- none: not needed
//
// (compiler-rt/lib/fuzzer/FuzzerMerge.h has this format.)

struct Control {
  UniqueFd file = memory_file();
  std::vector<CorpusFile> files = {};
  std::size_t seeds = 0;  // the first of the files
};

Control make_control(const Libfuzzer& job) {
  Control control;
  if (!job.seeds.empty()) control.files = read_corpus(job.seeds).good;
  control.seeds = control.files.size();
  for (CorpusFile& file : read_corpus(job.corpus).good) control.files.push_back(std::move(file));
  std::string text = fmt::format("{}\n0\n", control.files.size());
  for (const CorpusFile& file : control.files) text += file.path + "\n";
  if (::write(control.file.get(), text.data(), text.size()) != std::ssize(text)) {
    control.file.reset();
  }
  return control;
}

// Its exit status, or -1 if it was killed, because of the deadline or otherwise.
int run_inner_step(const std::string& target, const Control& control, std::int64_t deadline_ms) {
  auto process = ChildProcess::start([&] {
    silence({STDOUT_FILENO, STDERR_FILENO});
    redirect(control.file.get(), control_fd);
    ::setenv(FuzzerLink::variable, "predict", 1);
    exec({target, "-merge_inner=1", fmt::format("-merge_control_file=/proc/self/fd/{}", control_fd),
          fmt::format("-max_len={}", fuzzer_input_max), "-handle_int=0",
          "-exact_artifact_path=/dev/null"});
  });
  if (!process) return -1;
  const int status = process->wait_until(deadline_ms).wait_status;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// What the control file says of each: how many features came with it, -1 if it was not of use.
std::vector<long> features_of(const Control& control, std::size_t& read_count) {
  std::vector<long> features(control.files.size(), -1);
  std::istringstream text(read_file(fmt::format("/proc/self/fd/{}", control.file.get())));
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string word;
    std::size_t file = 0;
    if (!(words >> word >> file) || file >= features.size()) continue;
    if (word == "STARTED") read_count = std::max(read_count, file + 1);
    if (word != "FT") continue;
    features[file] = 0;
    while (words >> word) ++features[file];
  }
  return features;
}

// Reads the seeds first, and never changes them. Returns how many features all files together have.
std::uint64_t reduce_corpus(const Libfuzzer& job, std::int64_t deadline_ms) {
  const Control control = make_control(job);
  if (!control.file) {
    complain(fmt::format("corpus {}: no memory for its names", job.corpus));
    return 0;
  }
  int status = -1;
  for (int i = 0; i < attempts_max && status != 0 && now_ms() < deadline_ms; ++i) {
    status = run_inner_step(job.target, control, deadline_ms);
  }
  std::uint64_t sum = 0;
  std::size_t read_count = 0;
  const std::vector<long> features = features_of(control, read_count);
  for (std::size_t i = 0; i < read_count; ++i) {
    if (features[i] > 0) sum += static_cast<std::uint64_t>(features[i]);
    const CorpusFile& file = control.files[i];
    const bool last_and_unknown = i + 1 == read_count && status != 0;
    if (features[i] > 0 || i < control.seeds || !file.by_libfuzzer || last_and_unknown) continue;
    ::unlink(file.path.c_str());
  }
  if (read_count < control.files.size() || status != 0) {
    complain(fmt::format("corpus {}: only {} of {} files were read", job.corpus, read_count,
                         control.files.size()));
  }
  return sum;
}

}  // namespace

Fuzzers::Fuzzers(const ExploreJob& job, SharedMemory<Findings>& findings, int pipe,
                 OnFailure failed)
    : job_(job),
      jobs_(job.fuzzer_jobs),
      missing_(job.libfuzzer.missing),
      findings_(findings),
      pipe_(pipe),
      failed_(std::move(failed)) {}

void Fuzzers::start() {
  if (jobs_ == 0) return;
  const std::string& corpus = job_.libfuzzer.corpus;
  std::error_code error;
  fs::create_directories(corpus, error);
  if (error) {
    jobs_ = 0;
    return failed_(fmt::format("corpus {} can't be made: {}; libFuzzer does not run", corpus,
                               errno_name(error.value())));
  }
  if (const std::string why = why_not_writable(corpus); !why.empty()) {
    failed_(fmt::format("corpus {}: {}: new inputs are lost, the rest goes on", corpus, why));
  }
  if (const CorpusFolder found = read_corpus(corpus); !found.bad.empty()) {
    complain(fmt::format(
        "corpus {}: {} of {} files are no scenarios and are passed over, such as {}", corpus,
        found.bad.size(), found.bad.size() + found.good.size(), found.first_error));
  }
  if (job_.libfuzzer.build.empty()) {
    start_processes();
  } else {
    start_build();
  }
}

// --- the build of the target

// In a process group of its own, so that the compilers end with it.
void Fuzzers::start_build() {
  auto build = ChildProcess::start([this] {
    ::setpgid(0, 0);
    ::signal(SIGTERM, SIG_DFL);  // stop_building() ends it so
    silence({STDIN_FILENO});
    redirect(build_messages_.get(), STDOUT_FILENO);
    redirect(build_messages_.get(), STDERR_FILENO);
    ::execl("/bin/sh", "sh", "-c", job_.libfuzzer.build.c_str(), nullptr);
    ::_exit(127);
  });
  if (!build) {
    missing_ = build.error().what;
    return failed_(missing_);
  }
  build_ = std::move(*build);
  ::setpgid(build_.pid(), build_.pid());  // in both, because either may be the first
}

void Fuzzers::finish_build(int wait_status) {
  if (wait_status == 0) return start_processes();
  missing_ = "its build " + describe_wait_status(wait_status);
  complain(
      fmt::format("libFuzzer DOES NOT RUN: {}:\n{}", missing_, last_messages(build_messages_)));
}

void Fuzzers::stop_building() {
  if (!is_building()) return;
  missing_ = "its build was not finished";
  ::kill(-build_.pid(), SIGTERM);
  constexpr std::int64_t patience_ms = 2000;
  build_.wait_until(now_ms() + patience_ms);
}

// --- its processes

void Fuzzers::start_processes() {
  while (slots_.size() < jobs_) slots_.emplace_back();
  started_ms_ = now_ms();
  processes_.emplace(
      jobs_, findings_->stop,
      Supervisor::Callbacks{
          .run = [this](std::size_t i) { exec_target(i); },
          .alive_ms = [this](std::size_t i) { return &slots_[i].slot->alive_ms; },
          .lost = [this](std::size_t i, const std::string& how) { report_lost(slots_[i], how); },
          .failed = failed_});
  processes_->start_all();
}

void Fuzzers::exec_target(std::size_t i) const {
  const Process& process = slots_[i];
  silence({STDIN_FILENO});
  redirect(process.messages.get(), STDERR_FILENO);
  redirect(findings_.fd(), FuzzerLink::findings);
  redirect(process.slot.fd(), FuzzerLink::slot);
  redirect(pipe_, FuzzerLink::pipe);
  const std::string link = fmt::format("{}/{} {} {} {}", i, slots_.size(), name_of(job_.privileges),
                                       job_.no_recipes ? "no-recipes" : "recipes", job_.artifacts);
  ::setenv(FuzzerLink::variable, link.c_str(), 1);
  const std::uint64_t seed = *job_.seed + static_cast<std::uint64_t>(processes_->started());
  std::vector<std::string> words{
      job_.libfuzzer.target, fmt::format("-max_len={}", fuzzer_input_max),
      fmt::format("-seed={}", seed % UINT32_MAX), fmt::format("-timeout={}", case_timeout_s),
      fmt::format("-artifact_prefix={}/libfuzzer-", job_.artifacts),
      // Ctrl-C is the parent's; the figures are in the shared memory.
      "-handle_int=0", "-handle_term=0", "-verbosity=0", "-reload=5", job_.libfuzzer.corpus};
  if (!job_.libfuzzer.seeds.empty()) words.push_back(job_.libfuzzer.seeds);
  exec(std::move(words));
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
void Fuzzers::report_lost(Process& process, const std::string& how) {
  if (must_end_at_once()) return;
  FuzzerSlot& slot = *process.slot;
  ++slot.counts.not_run;
  ++losses_;
  const std::string messages = last_messages(process.messages);
  (void)::ftruncate(process.messages.get(), 0);  // for the process that takes its place
  ::lseek(process.messages.get(), 0, SEEK_SET);
  // What libFuzzer kept is a scenario; with this ending, `run DIR` finds it.
  std::string path = text_after(messages, "Test unit written to ");
  if (!path.empty() && ::rename(path.c_str(), (path + ".scn").c_str()) == 0) {
    path += ".scn";
  } else {
    path = fmt::format("{}/lost-libfuzzer-{}.scn", job_.artifacts, losses_);
    if (!keep_input_under_way(slot, path)) path = "between two cases";
  }
  std::string cause = text_after(messages, "ERROR: ");
  if (cause.empty()) cause = last_line(messages);
  failed_(fmt::format("a libFuzzer process {}: {}{}", how, path,
                      cause.empty() ? "" : " (" + cause + ")"));
}

void Fuzzers::reduce(std::int64_t deadline_ms) {
  if (!processes_) return;
  const std::string& corpus = job_.libfuzzer.corpus;
  const CorpusFolder found = read_corpus(corpus);
  std::size_t damaged = 0;  // libFuzzer does not say when a file could not be written whole
  for (const CorpusFile& file : found.bad) {
    if (file.by_libfuzzer && ::unlink(file.path.c_str()) == 0) ++damaged;
  }
  if (const std::string why = why_not_writable(corpus); !why.empty()) {
    failed_(fmt::format("corpus {}: {}: at least {} new inputs were lost", corpus, why, damaged));
  } else if (damaged > 0) {
    complain(fmt::format("corpus {}: {} damaged files removed", corpus, damaged));
  }
  features_ = reduce_corpus(job_.libfuzzer, deadline_ms);
}

// --- what they have done

Counts Fuzzers::counts() const {
  Counts sum;
  for (const Process& process : slots_) sum.add(process.slot->counts);
  return sum;
}

void Fuzzers::add_corpus_figures(Json& summary) const {
  const CorpusFolder corpus = read_corpus(job_.libfuzzer.corpus);
  summary["corpus"] = job_.libfuzzer.corpus;
  summary["corpus_files"] = corpus.good.size() + corpus.bad.size();
  summary["features"] = features_;
}

std::uint64_t Fuzzers::keep_recent(const std::string& folder, std::int64_t since_ms) const {
  std::uint64_t kept = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const FuzzerSlot& slot = *slots_[i].slot;
    const std::uint64_t begun = slot.begun;
    for (std::uint64_t n = begun - std::min<std::uint64_t>(begun, fuzzer_recent); n < begun; ++n) {
      const FuzzerRecent& recent = slot.recent[n % fuzzer_recent];
      if (recent.finished_ms != 0 && recent.finished_ms < since_ms) continue;
      if (keep(recent, fmt::format("{}/libfuzzer-{}-{}.scn", folder, i, n))) ++kept;
    }
  }
  return kept;
}

}  // namespace pivotcheck::cli

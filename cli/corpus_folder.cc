// SPDX-License-Identifier: Apache-2.0
// corpus_folder.cc: see corpus_folder.h.
#include "corpus_folder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "op/outcome.h"
#include "scenario/scenario.h"
#include "check/trial/campaign.h"

namespace pivotcheck::cli {
namespace {

namespace fs = std::filesystem;

constexpr int control_fd = 103;  // beside those of FuzzerLink
constexpr int attempts_max = 8;  // a file that kills the process is passed over at the next attempt
constexpr std::size_t probe_bytes = fuzzer_input_max;

bool is_hash(const std::string& name) {
  constexpr std::size_t sha1_digits = 40;
  return name.size() == sha1_digits &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// "" for a scenario; otherwise what is wrong with the file.
std::string trouble_with(const CorpusFile& file) {
  if (file.bytes == 0) return "is empty";
  if (file.bytes > fuzzer_input_max) return fmt::format("has more than {} bytes", fuzzer_input_max);
  std::ifstream stream(file.path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (text.size() != file.bytes) return "can't be read";
  const auto scenario = parse(text);
  if (!scenario) return fmt::format("line {}: {}", scenario.error().line, scenario.error().what);
  return "";
}

// The first line is for people, and must be one.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

struct Control {
  UniqueFd file;
  std::vector<CorpusFile> files;
  std::size_t seeds = 0;  // the first of the files
};

Control make_control(const ReduceJob& job) {
  Control control{UniqueFd(::memfd_create("merge", MFD_CLOEXEC)), {}, 0};
  if (!job.seeds.empty()) control.files = look_at_corpus(job.seeds).good;
  control.seeds = control.files.size();
  for (CorpusFile& file : look_at_corpus(job.corpus).good) control.files.push_back(std::move(file));
  std::string text = fmt::format("{}\n0\n", control.files.size());
  for (const CorpusFile& file : control.files) text += file.path + "\n";
  if (::write(control.file.get(), text.data(), text.size()) != std::ssize(text)) {
    control.file.reset();
  }
  return control;
}

// Its exit status, or -1 if it was killed, because of the deadline or otherwise.
int run_inner_step(const ReduceJob& job, const Control& control) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(nothing.get(), STDOUT_FILENO);
    ::dup2(nothing.get(), STDERR_FILENO);
    ::dup2(control.file.get(), control_fd);
    ::setenv(FuzzerLink::variable, "predict", 1);
    const std::string file = fmt::format("-merge_control_file=/proc/self/fd/{}", control_fd);
    const std::string length = fmt::format("-max_len={}", fuzzer_input_max);
    if (::getppid() == parent) {
      ::execl(job.target.c_str(), job.target.c_str(), "-merge_inner=1", file.c_str(),
              length.c_str(), "-handle_int=0", "-exact_artifact_path=/dev/null", nullptr);
    }
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (now_ms() > job.deadline_ms) ::kill(pid, SIGKILL);
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 5'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string contents(int fd) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (off_t at = 0;;) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), at);
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    at += count;
  }
}

// What the control file says of each: how many features came with it, -1 if it was not of use.
std::vector<long> features_of(const Control& control, std::size_t& looked_at) {
  std::vector<long> features(control.files.size(), -1);
  std::istringstream text(contents(control.file.get()));
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string word;
    std::size_t file = 0;
    if (!(words >> word >> file) || file >= features.size()) continue;
    if (word == "STARTED") looked_at = std::max(looked_at, file + 1);
    if (word != "FT") continue;
    features[file] = 0;
    while (words >> word) ++features[file];
  }
  return features;
}

}  // namespace

CorpusFolder look_at_corpus(const std::string& folder) {
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
    const std::string trouble = trouble_with(file);
    if (!trouble.empty() && result.first_trouble.empty()) {
      result.first_trouble = one_line(file.path + ": " + trouble);
    }
    (trouble.empty() ? result.good : result.bad).push_back(std::move(file));
  }
  std::ranges::sort(result.good, [](const CorpusFile& a, const CorpusFile& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.path < b.path;
  });
  return result;
}

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

Reduced reduce_corpus(const ReduceJob& job) {
  Reduced result;
  const Control control = make_control(job);
  if (!control.file) {
    result.trouble = "no memory for its names";
    return result;
  }
  int status = -1;
  for (int i = 0; i < attempts_max && status != 0 && now_ms() < job.deadline_ms; ++i) {
    status = run_inner_step(job, control);
  }
  std::size_t looked_at = 0;
  const std::vector<long> features = features_of(control, looked_at);
  for (std::size_t i = 0; i < looked_at; ++i) {
    if (features[i] > 0) result.features += static_cast<std::uint64_t>(features[i]);
    const CorpusFile& file = control.files[i];
    const bool last_and_unknown = i + 1 == looked_at && status != 0;
    if (features[i] > 0 || i < control.seeds || !file.by_libfuzzer || last_and_unknown) continue;
    if (::unlink(file.path.c_str()) == 0) ++result.removed;
  }
  if (looked_at < control.files.size() || status != 0) {
    result.trouble = fmt::format("{} of {} files were looked at", looked_at, control.files.size());
  }
  return result;
}

}  // namespace pivotcheck::cli

// SPDX-License-Identifier: Apache-2.0
// corpus_folder.cc: reads the files, and lets libFuzzer say which of them are needed.
#include "corpus_folder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
#include "supervisor.h"

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
std::string error_in(const CorpusFile& file) {
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
int run_inner_step(const ReduceJob& job, const Control& control) {
  auto process = ChildProcess::start([&] {
    const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    redirect(nothing.get(), STDOUT_FILENO);
    redirect(nothing.get(), STDERR_FILENO);
    redirect(control.file.get(), control_fd);
    ::setenv(FuzzerLink::variable, "predict", 1);
    const std::string file = fmt::format("-merge_control_file=/proc/self/fd/{}", control_fd);
    const std::string length = fmt::format("-max_len={}", fuzzer_input_max);
    ::execl(job.target.c_str(), job.target.c_str(), "-merge_inner=1", file.c_str(), length.c_str(),
            "-handle_int=0", "-exact_artifact_path=/dev/null", nullptr);
    ::_exit(127);
  });
  if (!process) return -1;
  const int status = process->wait_until(job.deadline_ms).wait_status;
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
std::vector<long> features_of(const Control& control, std::size_t& read_count) {
  std::vector<long> features(control.files.size(), -1);
  std::istringstream text(contents(control.file.get()));
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

}  // namespace

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
    result.error = "no memory for its names";
    return result;
  }
  int status = -1;
  for (int i = 0; i < attempts_max && status != 0 && now_ms() < job.deadline_ms; ++i) {
    status = run_inner_step(job, control);
  }
  std::size_t read_count = 0;
  const std::vector<long> features = features_of(control, read_count);
  for (std::size_t i = 0; i < read_count; ++i) {
    if (features[i] > 0) result.features += static_cast<std::uint64_t>(features[i]);
    const CorpusFile& file = control.files[i];
    const bool last_and_unknown = i + 1 == read_count && status != 0;
    if (features[i] > 0 || i < control.seeds || !file.by_libfuzzer || last_and_unknown) continue;
    if (::unlink(file.path.c_str()) == 0) ++result.removed;
  }
  if (read_count < control.files.size() || status != 0) {
    result.error = fmt::format("only {} of {} files were read", read_count, control.files.size());
  }
  return result;
}

}  // namespace pivotcheck::cli

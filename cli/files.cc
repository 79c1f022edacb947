// SPDX-License-Identifier: Apache-2.0
// files.cc: opens, reads and parses; walks folders.
#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <expected>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "op/outcome.h"

namespace pivotcheck::cli {
namespace {

namespace fs = std::filesystem;

// No scenario is anywhere near; a device that never ends must not fill the memory.
constexpr std::size_t file_bytes_max = 64UL << 20;
constexpr std::string_view standard_input = "-";

std::expected<std::string, std::string> read_text(const std::string& name) {
  const UniqueFd file(name == standard_input
                          ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                          : ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return std::unexpected("can't be opened: " + errno_name(errno));
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected("can't be read: " + errno_name(errno));
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > file_bytes_max) return std::unexpected("is longer than 64 MiB");
  }
}

void add_file(Files& files, const std::string& name) {
  const auto text = read_text(name);
  if (!text) return files.bad.push_back({name, {.what = text.error()}});
  auto scenario = parse(*text);
  if (!scenario) return files.bad.push_back({name, scenario.error()});
  files.good.push_back({name, std::move(*scenario)});
}

void add_folder(Files& files, const std::string& name) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(name, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".scn" && !entry->is_directory(error)) {
      found.push_back(entry->path().native());
    }
  }
  const auto bad = [&](const std::string& file, const std::string& what) {
    files.bad.push_back({file, {.what = what}});
  };
  if (error) return bad(name, "can't be read: " + errno_name(error.value()));
  if (found.empty()) return bad(name, "it has no *.scn file");
  std::ranges::sort(found);
  for (const std::string& file : found) {
    if (fs::is_other(file, error)) {  // opening a pipe would wait for its other end
      bad(file, "is no regular file");
    } else {
      add_file(files, file);
    }
  }
}

}  // namespace

void report_bad(const BadFile& bad) {
  const auto& [line, column, what] = bad.error;
  const std::string place = line == 0 ? "" : fmt::format(":{}:{}", line, column);
  fmt::print(stderr, "{}{}: {}\n", bad.name, place, what);
}

std::optional<std::vector<ScenarioFile>> read_scenarios(const std::vector<std::string>& arguments) {
  Files files = read_files(arguments);
  for (const BadFile& bad : files.bad) report_bad(bad);
  if (!files.bad.empty()) return std::nullopt;
  return std::move(files.good);
}

Files read_files(const std::vector<std::string>& arguments) {
  Files files;
  if (std::ranges::count(arguments, standard_input) > 1) {
    files.bad.push_back(
        {std::string(standard_input), {.what = "is standard input, read only once"}});
    return files;
  }
  for (const std::string& argument : arguments) {
    struct stat status {};
    if (argument != standard_input && ::stat(argument.c_str(), &status) == 0 &&
        S_ISDIR(status.st_mode)) {
      add_folder(files, argument);
    } else {
      add_file(files, argument);
    }
  }
  return files;
}

}  // namespace pivotcheck::cli

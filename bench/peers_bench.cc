// SPDX-License-Identifier: Apache-2.0
// peers_bench.cc: whole commands, timed from outside: so many rounds, each of all commands in
// random order. Reads them from the standard input, one per line: a name and its words, separated
// by tabs. Writes a JSON array of {name, wall_us: [...], cpu_us: [...]}; a command that fails ends
// it with 3.
//
// A command is started by vfork and exec, so that what this process costs is not in it, but for the
// start itself. Its processor time is that of itself and of all that it has waited for.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Command {
  std::string name;
  std::vector<std::string> words;
  std::vector<double> wall_us;
  std::vector<double> cpu_us;
};

double now_us() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double us(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

std::vector<Command> read_commands() {
  std::vector<Command> commands;
  for (std::string line; std::getline(std::cin, line);) {
    Command command;
    std::istringstream words(line);
    std::getline(words, command.name, '\t');
    for (std::string word; std::getline(words, word, '\t');) command.words.push_back(word);
    if (!command.words.empty()) commands.push_back(std::move(command));
  }
  return commands;
}

// What the commands say goes nowhere: the standard output is the result's.
const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);

bool run(Command& command, bool keep) {
  std::vector<char*> words;
  for (std::string& word : command.words) words.push_back(word.data());
  words.push_back(nullptr);
  const double begun = now_us();
  const pid_t pid = ::vfork();
  if (pid < 0) return false;
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(nowhere, STDIN_FILENO);
    ::dup2(nowhere, STDOUT_FILENO);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const double wall = now_us() - begun;
  if (status != 0) {
    std::fprintf(stderr, "peers_bench: %s: wait status %d\n", command.name.c_str(), status);
    return false;
  }
  if (keep) {
    command.wall_us.push_back(wall);
    command.cpu_us.push_back(us(usage.ru_utime) + us(usage.ru_stime));
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc == 2 ? std::atol(argv[1]) : 0;
  if (rounds < 1) {
    std::fputs("usage: peers_bench ROUNDS <commands\n", stderr);
    return 2;
  }
  std::vector<Command> commands = read_commands();
  std::mt19937 chance{std::random_device{}()};
  for (long round = -1; round < rounds; ++round) {  // the first warms up
    std::ranges::shuffle(commands, chance);
    for (Command& command : commands) {
      if (!run(command, round >= 0)) return 3;
    }
  }
  nlohmann::json result = nlohmann::json::array();
  for (const Command& command : commands) {
    result.push_back(
        {{"name", command.name}, {"wall_us", command.wall_us}, {"cpu_us", command.cpu_us}});
  }
  std::cout << result.dump() << std::endl;
  return std::cout ? 0 : 3;
}

# SPDX-License-Identifier: Apache-2.0
# The library as others use it: installed into a folder, found from a program outside of this tree
# by CMake and by pkg-config, and that program switches root. So does the program that the page of
# the library shows.
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/roots.sh"
source "$(dirname "$0")/pages.sh"
: "${BUILD:?the build folder}" "${CXX:?the compiler}"
needs_user_namespaces
[[ -z ${SANITIZE:-} ]] || skip 'a build with sanitizers is not for others to link'
chmod 755 .
make_root root
chmod -R a+rX root

expect 0 cmake --install "$BUILD" --prefix "$folder/installed"
for file in man/man1/pivotcheck.1 man/man1/pivotcheck-switch.1 zsh/site-functions/_pivotcheck \
  bash-completion/completions/pivotcheck fish/vendor_completions.d/pivotcheck.fish; do
  [[ -s installed/share/$file ]] || die "not installed: $file"
done
mkdir program
cat >program/main.cc <<'END'
#include <pivotcheck/root_switch.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

// Four threads, five commands each, by one RootSwitch.
int started_together(const pivotcheck::RootSwitch& root) {
  std::atomic<int> sum = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 5; ++j) {
        auto child = root.start({.arguments = {"/bin/sh", "-c", "exit 1"}});
        auto ended = child ? child->wait() : std::unexpected(child.error());
        sum += ended ? ended->code : 100;
      }
    });
  }
  threads.clear();
  return sum;
}

int main(int count, char** words) {
  pivotcheck::SwitchOptions options;
  options.strategy = pivotcheck::find_strategy(words[1]).value();
  options.new_root = words[2];
  options.user_namespace = geteuid() != 0;
  if (options.user_namespace) {
    options.uid_map = {{0, geteuid(), 1}};
    options.gid_map = {{0, getegid(), 1}};
  }
  if (count > 3) {  // a file, on a directory: one of many reasons for the same errno
    options.mounts.push_back(pivotcheck::BindAt{words[3], "/mnt"});
    std::signal(SIGCHLD, SIG_IGN);
  }
  auto root = pivotcheck::RootSwitch::make(options);
  if (!root) return std::puts(root.error().message.c_str()), 1;
  int sum = 0;
  for (int i = 0; i < 3; ++i) {  // one RootSwitch, several commands
    auto child = root->start({.arguments = {"/bin/sh", "-c", "echo /*; exit 3"}});
    if (!child) return std::puts(child.error().rule.c_str()), 1;
    auto ended = child->wait();
    sum += ended ? ended->code : 100;
  }
  auto missing = root->start({.arguments = {"/nosuch"}});
  if (missing || missing.error().kind != pivotcheck::SwitchFailure::Kind::not_found) return 2;
  if (started_together(*root) != 20) return 4;
  return sum;
}
END
cat >program/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES CXX)
find_package(pivotcheck 0.2 REQUIRED)
add_executable(program main.cc)
target_link_libraries(program PRIVATE pivotcheck::pivotcheck)
END
cmake_build() {  # cmake_build SOURCE BUILD
  cmake -S "$1" -B "$2" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_PREFIX_PATH="$folder/installed" &&
    cmake --build "$2"
}
expect 0 cmake_build program by_cmake
pkg_config=$(dirname "$(find installed -name pivotcheck.pc)")
flags() { PKG_CONFIG_PATH=$folder/$pkg_config pkg-config "$@" pivotcheck; }
flags --modversion >/dev/null || die 'pkg-config does not find it'
# shellcheck disable=SC2046 # words
expect 0 "$CXX" program/main.cc -o by_pkg_config $(flags --cflags --libs)

ls -A root >names_before
chown -R 65534:65534 root 2>/dev/null || true  # put-old makes a directory in it
for strategy in dot-dot put-old template; do
  for program in by_cmake/program ./by_pkg_config; do
    expect 9 as_user "$program" "$strategy" "$folder/root"
    [[ $(sort -u out) == '/bin /data /dev /etc /mnt /proc /tmp' ]] || die 'that is not the root'
    [[ $EUID -ne 0 ]] || expect 9 "$program" "$strategy" "$folder/root"
  done
done
# Which rule it was is found out by the library alone.
for strategy in dot-dot template; do
  expect 1 as_user by_cmake/program "$strategy" "$folder/root" "$folder/program/main.cc"
  [[ $(cat out) == move-kind-mismatch ]] || die 'the rule was not named'
done
ls -A root | cmp - names_before || die 'something stayed in the root'
expect 1 out:'No such file or directory' as_user by_cmake/program dot-dot "$folder/nosuch"

# The program of the page, as it stands there.
mkdir page
run_command() { die "a command that is not tried: $1"; }
(cd page && walk_page "$SOURCE/core/switch/README.md")
expect 0 cmake_build page by_page
expect 7 out:'PID 1' as_user by_page/demo "$folder/root" \
  /bin/sh -c 'read -r pid rest </proc/1/stat && echo "PID $pid"; exit 7'
expect 127 err:/nosuch as_user by_page/demo "$folder/root" /nosuch
expect 125 err:'No such file or directory' as_user by_page/demo "$folder/nosuch" /bin/sh

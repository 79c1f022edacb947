// SPDX-License-Identifier: Apache-2.0
// interruption.cc: the handler, which stores numbers and nothing else.
#include "interruption.h"

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>

namespace pivotcheck::cli {
namespace {

constexpr int asking_to_end[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int status_of_signals = 128;  // as shells have it
constexpr std::int64_t same_signal_ms = 1000;

volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t second_came = 0;
std::int64_t first_ms = 0;  // of the handler alone, which is never interrupted by itself
SecondSignal on_second = SecondSignal::exits;

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

void note(int signal) {
  if (first_signal == 0) {
    first_signal = signal;
    first_ms = monotonic_ms();
  } else if (monotonic_ms() - first_ms > same_signal_ms) {
    second_came = 1;
    if (on_second == SecondSignal::exits) ::_exit(status_of_signals + first_signal);
  }
}

}  // namespace

void catch_interruptions(SecondSignal second) {
  on_second = second;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // what is printed is printed whole
  for (const int signal : asking_to_end) ::sigaddset(&action.sa_mask, signal);
  for (const int signal : asking_to_end) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
  }
}

void ignore_interruptions() {
  for (const int signal : asking_to_end) std::signal(signal, SIG_IGN);
}

bool is_interrupted() { return first_signal != 0; }

bool must_end_at_once() { return second_came != 0; }

std::string interruption() {
  return is_interrupted() ? std::string("SIG") + ::sigabbrev_np(first_signal) : "";
}

ExitStatus unless_interrupted(ExitStatus status) {
  return is_interrupted() ? static_cast<ExitStatus>(status_of_signals + first_signal) : status;
}

}  // namespace pivotcheck::cli

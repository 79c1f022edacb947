// SPDX-License-Identifier: Apache-2.0
// launch.h: the caller's side of child.h: clones, answers what the child asks, and hears whether it
// got through.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "base/unique_fd.h"
#include "switch/child.h"
#include "switch/root_switch.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

// What `template` keeps as long as its RootSwitch lives.
struct TemplateNamespaces {
  UniqueFd user;  // without privileges: the user namespace, and in it a copy of the caller's tree
  UniqueFd copy;
  UniqueFd template_;
};

// A word in memory that a child has too, though it is forked.
class SharedFutex {
 public:
  SharedFutex();  // std::bad_alloc if there is no memory
  ~SharedFutex();
  SharedFutex(const SharedFutex&) = delete;
  SharedFutex& operator=(const SharedFutex&) = delete;
  std::atomic<std::uint32_t>& operator*() const { return *word_; }

 private:
  std::atomic<std::uint32_t>* word_;
};

struct LaunchRequest {
  const SwitchOptions& options;
  const strategy::Steps& steps;
  StepExecutor& executor;  // of these steps
  const TemplateNamespaces* lent = nullptr;  // namespaces for the steps to enter
  TemplateNamespaces* kept = nullptr;        // where a preparation leaves them
  SharedFutex& go;
  std::string put_old;         // the directory that a refused switch may leave behind
};

struct Launched {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd ended;  // with a PID namespace: where its init says how the command ended (ChildMessage)
};

// `script` has what is about the command; the rest is filled in here. Where the steps have no
// command, the child has ended when this returns.
Switched<Launched> launch(const LaunchRequest& job, ChildArgs& child_args);

void kill_and_reap(pid_t pid, int pidfd);

}  // namespace pivotcheck::rootswitch

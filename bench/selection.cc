// SPDX-License-Identifier: Apache-2.0
// selection.cc: see selection.h. Every axis begins at the same setting: thirty private mounts, no
// crowd, no user namespace.
#include "selection.h"

#include <unistd.h>

#include <algorithm>
#include <functional>

namespace pivotcheck::bench {
namespace {

struct Kind {
  Strategy strategy;
  bool own_mounts;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const StrategyInfo& row : strategies()) all.push_back({row.strategy, false});
  all.push_back({Strategy::chroot, true});  // like for like with the others: in a namespace too
  return all;
}

class Selection {
 public:
  explicit Selection(bool everything) : everything_(everything) {}

  std::vector<Setting> make() {
    for (const Carrier carrier : {Carrier::thread, Carrier::exits, Carrier::execs}) {
      each([=](Setting& setting) { setting.carrier = carrier; });
    }
    // The first process of a PID namespace can't be a thread that goes back: its axes have
    // children.
    const std::vector<unsigned> mounts =
        everything_ ? std::vector{1U, 3U, 10U, 30U, 100U, 300U, 1000U, 3000U}
                    : std::vector{1U, 30U, 300U, 3000U};
    for (const unsigned count : mounts) axis([=](Setting& s) { s.mounts = count; });
    const std::vector<unsigned> crowds = everything_ ? std::vector{0U, 100U, 1000U, 3000U, 10000U}
                                                     : std::vector{0U, 1000U, 10000U};
    for (const unsigned crowd : crowds) axis([=](Setting& s) { s.crowd = crowd; });
    axis([](Setting& s) { s.tree = Tree::slave; });
    const std::vector<unsigned> peers = everything_ ? std::vector{0U, 1U, 4U, 16U, 64U, 256U}
                                                    : std::vector{0U, 16U, 256U};
    for (const unsigned count : peers) {
      axis([=](Setting& s) {
        s.tree = Tree::shared;
        s.peers = count;
      });
    }
    for (const UserNamespace user : {UserNamespace::unmapped, UserNamespace::mapped}) {
      each([=](Setting& s) {
        s.carrier = Carrier::exits;
        s.user = user;
      });
    }
    bare();
    parallel();
    return std::move(settings_);
  }

 private:
  using Change = std::function<void(Setting&)>;

  void add(const Setting& setting) {
    if (std::ranges::find(settings_, setting) == settings_.end()) settings_.push_back(setting);
  }

  void each(const Change& change) {
    for (const Kind& kind : kinds()) {
      Setting setting{.strategy = kind.strategy, .own_mounts = kind.own_mounts};
      change(setting);
      add(setting);
    }
  }

  void axis(const Change& change) {
    each([&](Setting& setting) {
      if (setting.strategy == Strategy::proc_first) setting.carrier = Carrier::exits;
      change(setting);
    });
    if (!everything_) return;
    each([&](Setting& setting) {
      setting.carrier = Carrier::exits;
      change(setting);
    });
  }

  void bare() {
    each([](Setting& setting) {
      setting.source = Source::bare;
      if (setting.strategy == Strategy::proc_first) setting.carrier = Carrier::exits;
    });
  }

  // 1 ... all: with RCU to wait for, more than there are processors.
  void parallel() {
    const auto processors = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    std::vector<unsigned> counts;
    for (unsigned count = 1; count < 4 * processors; count *= 2) counts.push_back(count);
    counts.push_back(4 * processors);
    for (const unsigned count : counts) {
      for (const bool processes : {false, true}) {
        each([=](Setting& setting) {
          setting.parallel = count;
          setting.processes = processes;
        });
      }
    }
    // Of many at once, each begins again and again; a child for each would measure fork.
    std::erase_if(settings_, [](const Setting& setting) {
      return setting.parallel > 0 && setting.strategy == Strategy::proc_first;
    });
  }

  bool everything_;
  std::vector<Setting> settings_;
};

}  // namespace

std::vector<Setting> selection(bool everything) { return Selection(everything).make(); }

}  // namespace pivotcheck::bench

// SPDX-License-Identifier: Apache-2.0
// property.h: what a property is. Its name is a sentence, its check is a few lines, and all of them
// together are the specification (`properties --list`).
//
//     scenario --> check(Case&) --+--> case.note_relevant()   the situation it is about came up
//                                 '--> case.require()         throws Broken if the sentence is false
//
// A case in which that situation does not come up proves nothing. It is discarded, and a
// property that finds too few others fails: none of them can be true because nothing happened.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "check/driver/kernel_driver.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck::props {

// The sentence is not true of this scenario.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The harness could not do its work (base/failure.h); says nothing about the sentence.
struct HarnessBroke : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Transition;  // transitions.h

// What the properties check. A test replaces a part of it by a wrong one, and sees that they notice
// (can_fail.cc).
struct Subjects {
  std::string (*print)(const Scenario&) = pivotcheck::print;
  Snapshot (*canonical)(Snapshot) = pivotcheck::canonical;
  void (*after_step)(const Transition&, model::World& after) = [](const Transition&,
                                                                  model::World&) {};
  void (*seen_by_mountinfo)(Snapshot&) = [](Snapshot&) {};
  // The end of one of two runs (relation_properties.cc).
  void (*shown_by_kernel)(const Scenario&, Snapshot&) = [](const Scenario&, Snapshot&) {};
};

// The running kernel, for the properties that need it. Each driver is started once.
class Kernel {
 public:
  // Failure::Kind::cannot_run where this machine can't.
  static Expected<Kernel> make();

  // The result of a trial; throws HarnessBroke where it failed.
  TrialResult ask(const Scenario& scenario, const TrialOptions& options = {});
  // The same world as both sources show it, canonical; nullopt where mountinfo can't show all.
  struct BothSources {
    Snapshot listmount;
    Snapshot mountinfo;
  };
  std::optional<BothSources> look(const Scenario& scenario);

  [[nodiscard]] bool has_root() const { return has_root_; }
  [[nodiscard]] bool has_listmount() const { return trial_.observer().has(Source::listmount); }
  [[nodiscard]] const KernelTraits& traits() const { return trial_.traits(); }

 private:
  explicit Kernel(Trial trial) : trial_(std::move(trial)) {}
  Trial trial_;
  bool has_root_ = false;
  std::array<std::optional<KernelDriver>, 2> drivers_;  // by Privilege; for look()
};

// One scenario on its way through one check.
class Case {
 public:
  Case(const Scenario& one, const Subjects& looked_at, Kernel* running)
      : scenario(one), subjects(looked_at), kernel_(running) {}

  const Scenario& scenario;
  const Subjects& subjects;

  void note_relevant() { ++times_relevant_; }
  void require(bool holds, std::string_view what) const {
    if (!holds) throw Broken(std::string(what));
  }
  [[nodiscard]] std::uint64_t times_relevant() const { return times_relevant_; }
  [[nodiscard]] Kernel& kernel() const { return *kernel_; }  // where Property::needs says so
  // Those of the running kernel where it is asked, else those of the newest kernel that is known.
  [[nodiscard]] KernelTraits traits() const { return kernel_ ? kernel_->traits() : KernelTraits{}; }

 private:
  Kernel* kernel_;
  std::uint64_t times_relevant_ = 0;
};

// What the kernel shows after the scenario; nullopt if it is not performed to its end. Throws Broken
// where the model disagrees.
std::optional<TrialResult> agreed(Case& one, const Scenario& scenario,
                                  const TrialOptions& options = {});

struct Property {
  enum class Needs : unsigned char { model, text, kernel };
  std::string_view sentence;
  Needs needs;
  void (*check)(Case&);
};

// --- trying a property on many scenarios, those first that it failed on before (runner.cc)

struct RunOptions {
  std::uint64_t seed = 0;
  int cases = 100;  // in which the property met what it is about
  Subjects subjects = {};
  bool shrink = true;
  bool locked_worlds_only = false;  // no Privilege::root
  std::optional<std::filesystem::path> failures;  // kept here; not given: not kept
};

struct Report {
  enum class Kind : unsigned char {
    holds,
    fails,    // broken by `scenario`; `what` says how
    vacuous,  // hardly any scenario met what it is about
    harness,  // says nothing about the property
  };
  Kind kind = Kind::holds;
  std::string what;
  std::optional<Scenario> scenario;  // shrunk
  std::filesystem::path kept;        // where that is; "" if it could not be kept
  bool was_kept = false;             // from an earlier run
  int tried_again = 0;               // kept failures that hold now
  int scenarios = 0;  // that were tried; the others are not what the property is about
  int cases = 0;
  std::uint64_t times_relevant = 0;
  double elapsed_s = 0;
};

// `kernel`: nullptr only where the property needs none.
Report run(const Property& property, const RunOptions& options, Kernel* kernel);

// --- all properties, in the order in which --list has them

std::span<const Property> model_properties();
std::span<const Property> mount_api_properties();
std::span<const Property> text_properties();
std::span<const Property> kernel_properties();
std::span<const Property> relation_properties();

}  // namespace pivotcheck::props

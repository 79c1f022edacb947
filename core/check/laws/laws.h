// SPDX-License-Identifier: Apache-2.0
// laws.h: statements about what must never happen, whichever steps are performed. A model that was
// written beside a kernel may have that kernel's faults, and then the two agree. The laws know no
// model: they look at a state, or at a step with the states before and after it, on either side.
//
//     scenario --> steps --> model:  a state after each step ---.
//                       '--> kernel: the states that were read -+--> Watch --> no breach, or
//                                                               |    those of the first step
//                                                               |    that has any
//                                                               '--> how often each was asked
//
// Each law is a small function (one_state.cc, attributes.cc, events.cc, tasks.cc, covers.cc) and a
// row of law_rows.h: a name, a sentence, the document that it comes from. It counts how often its
// premise held: a law that nothing ever asked has proved nothing.
//
// What a step acts on is found by its path (find() in state.h). Where that can't be done without
// knowing the names of a filesystem, or where a mount is in a tree that the state does not show,
// the premise does not hold. Locks are shown by no kernel: they are followed from the steps
// (Standing, Locked).
//
// A quirk excuses one deviation of one law, where kernels are known to depart from it
// (FINDINGS.md).
//
// States of more than `mounts_asked_max` mounts are not asked: laws compare mounts with each other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "check/laws/state.h"
#include "op/op.h"

namespace pivotcheck::laws {

inline constexpr std::size_t mounts_asked_max = 256;

// Each is true where kernels are excused that have the trait of that name, or are that old.
struct Quirks {
  // Law one-mount-at-each-place, before 6.17; the laws that count what is copied are not asked.
  bool two_mounts_at_one_place = false;
  // Laws unbindable-is-private and group-is-joined: an unbindable mount that is not shared is a
  // slave.
  bool set_group_leaves_unbindable = false;
  // Law umount-leaves-what-is-in-use: a mount in use that goes by propagation, together with mounts
  // that are on it.
  bool umount_takes_busy_copies = false;
  // Law namespace-is-copied: the copy of an unbindable mount is private.
  bool namespace_copy_loses_unbindable = false;
  // Law covered-stays-covered: once another mount arrived beneath the locked one, a bind or umount
  // shows what that covered.
  bool lock_rises_with_cover = false;
  // The same law: once what arrived beneath the locked one is unmounted where it came from, a umount
  // or move shows what was covered.
  bool arrival_unlocks_cover = false;
  // What goes by propagation was another set before propagate_umount.txt (6.17).
  bool umounts_by_older_rules = false;
  // Law receivers-receive, and what goes by propagation: where a peer is in a detached tree, its
  // slaves may receive nothing.
  bool starves_slaves_of_detached = false;
};

// The user namespaces of a task, as far as its steps tell: numbers, the same for the same one.
struct Standing {
  std::string task;
  int user_ns = 0;
  int owner = 0;              // of its mount namespace
  Capabilities dropped = {};  // those that it has not in its own user namespace
};

// What a task's steps locked, by the ids of the mounts.
struct Locked {
  struct Cover {  // there was a mount at that place, and there must be one
    MountId parent;
    std::string place;
    bool is_certain = true;  // false: a more privileged namespace may have unlocked it
    bool is_raised = false;  // what was locked there lies on a mount that arrived since
  };
  struct Flags {
    MountId mount;
    MountFlags flags;
    MountFlags atime;  // neither more nor less
  };
  std::vector<Cover> covers;
  std::vector<Flags> flags;
  std::vector<MountId> expiry_marks;  // no lock, but also seen in the steps only
  // False: a step was not seen, because a state was not read, or too large; or a name was changed.
  bool is_all = true;
};

struct Event {
  const State& before;
  const Step& step;
  Outcome outcome;
  const State& after;
  const std::set<std::string>& links;      // names that may be symbolic links
  const Standing& standing;                // of the task, after the step
  const Standing& stood;                   // and before it
  const std::vector<Standing>& standings;  // of all tasks, after it
  const std::vector<int>& user_parents;    // of each user namespace; -1 for the first
  const Locked& locked;                    // before it
  const Quirks& quirks;

  [[nodiscard]] const TaskState* actor() const { return before.task(step.task.text); }
  [[nodiscard]] std::optional<PlaceState> find(const Path& path) const;
  [[nodiscard]] bool is_new(const MountState& mount) const {
    return before.mount(mount.id) == nullptr;
  }
};

// What a law says of an event: how often its premise held, and the first breach.
class Inquiry {
 public:
  void held() { ++asked_; }
  // `what` is called only where the law is broken: it makes the message.
  void require(bool is_kept, auto&& what) {
    if (!is_kept && breach_.empty()) breach_ = what();
  }
  [[nodiscard]] std::uint64_t asked() const { return asked_; }
  [[nodiscard]] const std::string& breach() const { return breach_; }

 private:
  std::uint64_t asked_ = 0;
  std::string breach_;
};

struct Law {
  std::string_view name;
  std::string_view sentence;
  std::string_view source;  // as `pivotcheck rules` has it: `mount(2), ERRORS, "words of it"`
  void (*ask)(const Event&, Inquiry&);
  bool of_state = false;  // looks at the state after the step only
};

inline constexpr std::size_t laws_count =
#define LAW(...) +1
    0
#include "check/laws/law_rows.h"
    ;
#undef LAW
std::span<const Law> all_laws();

using AskedCounts = std::array<std::uint64_t, laws_count>;  // in the order of all_laws()

struct Breach {
  const Law* law = nullptr;
  std::size_t step = 0;  // from 1; 0: the fresh world
  std::string what;
};

// Follows one scenario on one side.
class Watch {
 public:
  Watch(const Quirks& quirks, AskedCounts& asked) : quirks_(quirks), asked_(asked) {}

  void begin(State fresh);
  // A step whose state was not read: what follows from the step alone is noted.
  void skip(const Step& step, Outcome outcome);
  void after(const Step& step, Outcome outcome, State state);

  // Of the first step that broke any law: all that it broke, in the order of the table.
  [[nodiscard]] const std::vector<Breach>& breaches() const { return breaches_; }

 private:
  void note(const Step& step, Outcome outcome);
  void forget_locks();
  void ask(const Event& event, bool mounts_are_as_before);
  void unlock(const Event& event);
  void lock(const Event& event);
  void mark(const Event& event);

  const Quirks& quirks_;
  AskedCounts& asked_;
  State last_;
  bool has_last_ = false;
  std::size_t steps_ = 0;
  std::set<std::string> links_;
  std::vector<Standing> standings_{{.task = "A"}};
  std::vector<int> user_parents_{-1};
  Locked locked_;
  std::vector<Breach> breaches_;
};

}  // namespace pivotcheck::laws

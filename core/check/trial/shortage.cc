// SPDX-License-Identifier: Apache-2.0
// shortage.cc: one world for each number. It stands still before the step, after it and at the end.
#include "check/trial/shortage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "check/compare/compare.h"
#include "check/trial/model_state.h"

namespace pivotcheck {
namespace {

constexpr std::chrono::milliseconds limit = std::chrono::seconds(10);  // for each pause
constexpr const char* mount_max_file = "/proc/sys/fs/mount-max";

bool names_a_handle(const Op& op) {
  bool found = false;
  const auto look = [&]<class Field>(const Field& field) {
    if constexpr (std::is_same_v<Field, Path>) found = found || !field.handle.empty();
  };
  std::visit([&](const auto& each) { each.fields(each, look); }, op);
  return found;
}

enum class Caller : unsigned char { none, task, helper };

// Who makes the call of the step, if it is one on mounts, roots or namespaces.
Caller caller_of(const Op& op) {
  return std::visit(
      [&]<class Operation>(const Operation&) {
        if constexpr (OneOf<Operation, Mount, Bind, Move, ChangePropagation, Remount, Umount,
                            PivotRoot, Chroot>) {
          return names_a_handle(op) ? Caller::helper : Caller::task;
        } else if constexpr (OneOf<Operation, Chdir, Open, Fchdir, Close, Unshare, Setns, OpenTree,
                                   MoveMount, MountSetattr, Fsmount>) {
          return Caller::task;
        } else {
          static_assert(OneOf<Operation, Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Spawn,
                              Exit, DropCapabilities, Limit>);
          return Caller::none;
        }
      },
      op);
}

// A limit of the machine or of a task, as it was when this was made; put back at the end.
class LoweredLimit {
 public:
  LoweredLimit(Lack lack, pid_t task) : lack_(lack), task_(task) {
    if (lack == Lack::mounts) before_ = read_file(mount_max_file);
    if (lack == Lack::descriptors) is_set_ = ::prlimit(task, RLIMIT_NOFILE, nullptr, &files_) == 0;
  }
  LoweredLimit(const LoweredLimit&) = delete;
  LoweredLimit& operator=(const LoweredLimit&) = delete;
  ~LoweredLimit() { put_back(); }

  // False, with errno, where that is refused.
  bool lower_to(unsigned number) {
    if (lack_ == Lack::mounts) return is_set_ = write_file(mount_max_file, std::to_string(number));
    const rlimit lowered{number, files_.rlim_max};
    return lack_ != Lack::descriptors ||
           (is_set_ && ::prlimit(task_, RLIMIT_NOFILE, &lowered, nullptr) == 0);
  }
  bool put_back() {
    if (!std::exchange(is_set_, false)) return true;
    return lack_ == Lack::mounts ? write_file(mount_max_file, before_)
                                 : ::prlimit(task_, RLIMIT_NOFILE, &files_, nullptr) == 0;
  }

 private:
  Lack lack_;
  pid_t task_;
  bool is_set_ = false;
  std::string before_;
  rlimit files_{};
};

// One world: what is done in its pauses, and what is known of it so far.
class OneWorld {
 public:
  OneWorld(const Observer& observer, const Prediction& predicted, Shortage shortage)
      : observer_(observer),
        shortage_(shortage),
        index_(predicted.program.steps.size() - 1),
        after_(predicted),
        before_(predict(predicted.program, predicted.world.traits, index_)),
        program_(predicted.program) {
    program_.steps.push_back(program_.steps.back());
  }

  ShortageResult run(KernelDriver& driver) {
    const bool fails = shortage_.lack == Lack::allocations;
    const auto performed = driver.perform(
        program_, {}, limit, [this](const ExecutionResult& so_far) { return pause(so_far); },
        {.step = index_, .number = fails ? shortage_.number : 0});
    if (!performed) {
      fail(performed.error().what);
    } else if (performed->outcomes.size() == program_.steps.size()) {
      compare_repetition(*performed);
    }
    return std::move(result_);
  }

 private:
  // Whether to go on.
  bool pause(const ExecutionResult& so_far) {
    if (so_far.outcomes.size() == index_) return begin(so_far);
    return so_far.outcomes.size() != index_ + 1 || compare_after_step(so_far);
  }

  bool begin(const ExecutionResult& so_far) {
    if (so_far.outcomes != before_.outcomes()) {
      return fail("a step before it is answered in another way than the model says");
    }
    const int task = program_.steps[index_].task;
    const std::string& name = program_.tasks[static_cast<std::size_t>(task)];
    const auto live = std::ranges::find(so_far.tasks, name, &LiveTask::name);
    lowered_.emplace(shortage_.lack, live->pid);
    return lowered_->lower_to(shortage_.number) || fail("the limit can't be lowered");
  }

  bool compare_after_step(const ExecutionResult& so_far) {
    if (!lowered_->put_back()) return fail("the limit can't be put back");
    const Outcome outcome = result_.outcome = so_far.outcomes.back();
    const bool was_lacking =
        shortage_.lack == Lack::allocations ? so_far.allocation_failed : !outcome.ok();
    if (!was_lacking && !outcome.ok()) {
      return fail("with nothing lacking the step is answered in another way than the model says");
    }
    compare(so_far, outcome.ok() ? after_.world : before_.world,
            outcome.ok() ? "the step succeeded, and the state is not the new one"
                         : "the step was refused, and the state is not the old one");
    if (!result_.reason.empty()) return false;
    using enum ShortageResult::Kind;
    result_.kind = !was_lacking ? enough : outcome.ok() ? succeeded : refused;
    return result_.kind == refused || (result_.kind == succeeded && repeated().stop == no_stop);
  }

  void compare_repetition(const ExecutionResult& performed) {
    const bool refused = result_.kind == ShortageResult::Kind::refused;
    const Prediction twice = refused ? after_ : repeated();
    const Outcome due = twice.verdicts.back().outcome;
    const Outcome outcome = performed.outcomes.back();
    if (outcome != due) {
      result_.kind = ShortageResult::Kind::between;
      result_.reason = fmt::format("the same step again: {}, and {} is due", to_string(outcome),
                                   to_string(due));
      return;
    }
    compare(performed, twice.world, "after the same step again the state is not as it should be");
  }

  [[nodiscard]] Prediction repeated() const { return predict(program_, after_.world.traits); }

  void compare(const ExecutionResult& so_far, const model::World& due, std::string_view otherwise) {
    const bool has_listmount = observer_.has(Source::listmount);
    const auto seen =
        observer_.observe(so_far.tasks, has_listmount ? Source::listmount : Source::mountinfo);
    if (!seen) {
      fail(seen.error().what);
      return;
    }
    result_.differences =
        differences(canonical(seen->snapshot), canonical(snapshot(due, seen->seen_from)));
    if (result_.differences.empty()) return;
    result_.kind = ShortageResult::Kind::between;
    result_.reason = otherwise;
  }

  bool fail(std::string why) {
    result_.kind = ShortageResult::Kind::failed;
    result_.reason = std::move(why);
    return false;
  }

  static constexpr Verdict::Stop no_stop = Verdict::Stop::no;
  const Observer& observer_;
  Shortage shortage_;
  std::size_t index_;  // of the step, which is done again after it
  const Prediction& after_;
  Prediction before_;
  Program program_;
  std::optional<LoweredLimit> lowered_;
  ShortageResult result_;
};

}  // namespace

std::string_view why_not_asked(const Prediction& predicted, Lack lack) {
  if (predicted.program.steps.empty() || !predicted.verdicts.back().outcome.ok()) {
    return "the step is refused";
  }
  const Op& op = predicted.program.steps.back().op;
  const Caller caller = caller_of(op);
  if (caller == Caller::none) return "it is no call on mounts, roots or namespaces";
  if (lack == Lack::allocations && caller == Caller::helper) return "a helper makes the call";
  const bool opens = opened_handle(op) != nullptr;
  if (lack == Lack::descriptors && !opens) return "it opens no descriptor";
  if (is_expire(op) || has_expiry_mark(predicted.world)) return "an expiry mark stands";
  return "";
}

std::string why_never(Lack lack) {
  if (lack == Lack::allocations && ::access("/proc/self/fail-nth", W_OK) != 0) {
    return "this kernel has no /proc/self/fail-nth (CONFIG_FAULT_INJECTION)";
  }
  if (lack == Lack::mounts && ::access(mount_max_file, W_OK) != 0) {
    return "fs.mount-max can't be written (root of the machine can)";
  }
  return "";
}

Expected<ShortageTrial> ShortageTrial::make() {
  auto observer = Observer::make();
  if (!observer) return std::unexpected(observer.error());
  return ShortageTrial(std::move(*observer));
}

ShortageResult ShortageTrial::run(const Prediction& predicted, Shortage shortage) {
  auto& driver = drivers_[static_cast<std::size_t>(predicted.program.privilege)];
  if (!driver) {
    auto started = KernelDriver::start(predicted.program.privilege);
    if (!started) {
      ShortageResult failed;
      failed.reason = started.error().what;
      return failed;
    }
    driver.emplace(std::move(*started));
  }
  return OneWorld(observer_, predicted, shortage).run(*driver);
}

}  // namespace pivotcheck

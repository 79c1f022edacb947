// SPDX-License-Identifier: Apache-2.0
// edit.h: changes to a scenario, for all that make one out of another: the minimizer, the mutator,
// and the shrinker of the properties. What goes in and what comes out holds the invariants of
// scenario.h.
//
//     mkdir /a         without_steps(1, 1):          without_task(1):
//     spawn B          mkdir /a                      mkdir /a
//     B: chdir /a      umount /a                     chdir /a
//     B: exit                                        umount /a
//     umount /a
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "scenario/scenario.h"

namespace pivotcheck::edit {

// --- steps and tasks

// Without `count` steps from `first` on. If a spawn goes, so does every step that its task performs
// or is named in.
Scenario without_steps(const Scenario& scenario, std::size_t first, std::size_t count);

// Without the task that step `spawn_at` makes: the task that performs the spawn takes its place.
// nullopt if that one exits too early.
std::optional<Scenario> without_task(const Scenario& scenario, std::size_t spawn_at);

// Step `at` is performed by A; nullopt if A does not exist then.
std::optional<Scenario> performed_by_first_task(Scenario scenario, std::size_t at);

// Makes a valid scenario of steps that were taken from others. The tasks get `names`, in the order
// in which they are made. A step of a task that does not exist is given to one that does: number
// choose(n) of n. A spawn for which there is no name goes, and so does the exit of the last task.
void repair_tasks(std::vector<ScenarioStep>& steps, std::span<const std::string_view> names,
                  const std::function<std::size_t(std::size_t)>& choose);

// --- paths

// Calls visit(text, path) for each path of an operation; `path` is nullptr for the target of a
// symbolic link, which is text only. For `const` and other operations.
template <class AnyOp, class Visit>
void for_each_path(AnyOp& op, Visit&& visit) {
  const auto visit_field = [&]<class Field>(Field& field) {
    using Plain = std::remove_const_t<Field>;
    using PathPointer = std::conditional_t<std::is_const_v<Field>, const Path*, Path*>;
    if constexpr (std::is_same_v<Plain, Path>) visit(field.text, &field);
    if constexpr (std::is_same_v<Plain, LinkTarget>) visit(field.text, PathPointer{nullptr});
  };
  std::visit([&](auto& typed) { typed.fields(typed, visit_field); }, op);
}

// The names in a path: "/a//./b/" has "a" and "b". "." leads nowhere and is left out.
std::vector<std::string> names_of(std::string_view path);

// The names in all paths of a scenario; without "..".
std::set<std::string> names_in(const Scenario& scenario);

// Everywhere the name `to` instead of `from`; "" leaves it out.
Scenario renamed(Scenario scenario, const std::string& from, const std::string& to);

// Other texts for a path, with fewer names or an easier spelling; the simplest first.
// `after_handle`: what stands after "@h", which is "" or begins with "/".
std::vector<std::string> simpler_paths(const std::string& text, bool after_handle);

}  // namespace pivotcheck::edit

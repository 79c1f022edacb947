// SPDX-License-Identifier: Apache-2.0
// places.h: places in the world as one task sees them, and the many ways to write the path to one.
//
//     Site spot = places.mount_root();     something is mounted there
//     places.spelled(spot)                 "/a/b", "../a/b", "@h/b", "/a/./b/", "/a//b", and rarely
//                                          a path that is wrong in one way
//
// A Site is a guess, made without a lookup (which would be dear, and leaves traces in the
// world): if something covers the way, its path leads elsewhere. That is welcome, as long as it
// is rare.
#pragma once

#include <optional>
#include <string>

#include "check/gen/scenario_builder.h"
#include "model/world.h"
#include "op/op.h"

namespace pivotcheck::gen {

struct Site {
  std::string text;    // from the task's root: "" for the root itself, otherwise "/a/b"
  model::Location at;

  [[nodiscard]] std::string absolute() const { return text.empty() ? "/" : text; }
};

class Places {
 public:
  Places(const ScenarioBuilder& story, model::TaskIndex who)
      : choices_(story.choices()), world_(story.world()), task_(world_[who]) {}

  // Simplest first: the task's root.
  [[nodiscard]] Site directory() const;
  [[nodiscard]] Site below(Site from, int deepest) const;  // a directory at or below this one
  [[nodiscard]] Site anything() const;                     // also files and links
  [[nodiscard]] Site file() const;                         // a directory if it finds none
  [[nodiscard]] Site mount_root() const;                   // in the task's namespace
  [[nodiscard]] model::Kind kind(const Site& spot) const { return world_[spot.at.dentry].kind; }

  // A name in that directory which is not taken, if there is one.
  [[nodiscard]] std::string free_name(const Site& directory, model::Kind kind) const;

  [[nodiscard]] Path spell_path(const Site& spot) const;
  // The path of a name in a directory: the directory's way is spelled, the name is not touched.
  [[nodiscard]] Path spell_path(const Site& directory, const std::string& name) const;
  // A detached tree of which the task has a handle; nullopt if it has none.
  [[nodiscard]] std::optional<Path> detached_tree() const;
  // The same, or a place in it.
  [[nodiscard]] std::optional<Path> in_detached_tree() const;

  // From one place down to another: "" or "/a/b"; nullopt if it is not above it.
  [[nodiscard]] std::optional<std::string> way_down(model::Location from,
                                                    model::Location to) const;

 private:
  enum class Want : unsigned char { directory, file, anything };
  [[nodiscard]] Site walk(Site from, int deepest, Want want) const;
  [[nodiscard]] model::DentryId some_child(model::DentryId directory, Want want) const;
  [[nodiscard]] Path correctly_spelled(const Site& spot) const;
  [[nodiscard]] std::optional<std::string> relative(const Site& spot) const;
  [[nodiscard]] std::optional<Path> through_handle(const Site& spot) const;
  [[nodiscard]] std::string noisy_spelling(const Site& spot) const;
  [[nodiscard]] Path broken(const Site& spot) const;

  Choices& choices_;
  const model::World& world_;
  const model::Task& task_;
};

}  // namespace pivotcheck::gen

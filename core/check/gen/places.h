// SPDX-License-Identifier: Apache-2.0
// places.h: places in the world as one task sees them, and the many ways to write the path to one.
//
//     Site site = places.mount_root();     something is mounted there
//     places.spell_path(site)              "/a/b", "../a/b", "@h/b", "/a/./b/", "/a//b"; in 3 % of
//                                          the cases a path that is wrong in one way
//
// No path is looked up, because a lookup costs time and changes access times in the world. So the
// path of a Site leads elsewhere if a mount covers a directory on the way. That happens rarely, and
// is a case worth trying.
#pragma once

#include <optional>
#include <string>

#include "check/gen/scenario_builder.h"
#include "model/world.h"
#include "op/op.h"

namespace pivotcheck::gen {

struct Site {
  std::string text;  // from the task's root: "" for the root itself, otherwise "/a/b"
  model::Location at;

  [[nodiscard]] std::string absolute() const { return text.empty() ? "/" : text; }
};

class Places {
 public:
  Places(const ScenarioBuilder& builder, model::TaskIndex performer)
      : choices_(builder.choices()), world_(builder.world()), task_(world_[performer]) {}

  // The simplest choice is the task's root.
  [[nodiscard]] Site directory() const;
  [[nodiscard]] Site below(Site from, int deepest) const;  // a directory at or below this one
  [[nodiscard]] Site anything() const;                     // also files and links
  [[nodiscard]] Site file() const;                         // a directory if it finds none
  [[nodiscard]] Site mount_root() const;                   // in the task's namespace
  [[nodiscard]] model::Kind kind(const Site& site) const { return world_[site.at.dentry].kind; }

  // A name that does not exist in that directory, if there is one.
  [[nodiscard]] std::string free_name(const Site& directory, model::Kind kind) const;

  [[nodiscard]] Path spell_path(const Site& site) const;
  // The path of a name in a directory: only the directory's path is varied.
  [[nodiscard]] Path spell_path(const Site& directory, const std::string& name) const;
  // The root of a detached tree, by a handle of the task; nullopt if there is none.
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
  [[nodiscard]] std::optional<std::string> relative(const Site& site) const;
  [[nodiscard]] std::optional<Path> through_handle(const Site& site) const;
  [[nodiscard]] std::string noisy_spelling(const Site& site) const;
  [[nodiscard]] Path broken(const Site& site) const;

  Choices& choices_;
  const model::World& world_;
  const model::Task& task_;
};

}  // namespace pivotcheck::gen

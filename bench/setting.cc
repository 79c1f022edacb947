// SPDX-License-Identifier: Apache-2.0
// setting.cc: see setting.h.
#include "setting.h"

namespace pivotcheck::bench {
namespace {

std::string tree_name(const Setting& setting) {
  switch (setting.tree) {
    case Tree::private_: return "private";
    case Tree::slave: return "slave";
    case Tree::shared: return "shared-" + std::to_string(setting.peers);
  }
  return "";
}

const char* name(Carrier carrier) {
  switch (carrier) {
    case Carrier::thread: return "thread";
    case Carrier::exits: return "exits";
    case Carrier::execs: return "execs";
  }
  return "";
}

const char* name(UserNamespace user) {
  switch (user) {
    case UserNamespace::none: return "none";
    case UserNamespace::unmapped: return "unmapped";
    case UserNamespace::mapped: return "mapped";
  }
  return "";
}

}  // namespace

std::string name(const Setting& setting) {
  std::string text = setting.source == Source::bare ? "bare/" : "switch/";
  if (setting.parallel > 0) text = "parallel/";
  text += info(setting.strategy).name;
  if (setting.own_mounts) text += "+mnt";
  if (setting.parallel > 0) {
    return text + (setting.processes ? "/processes:" : "/threads:") +
           std::to_string(setting.parallel);
  }
  return text + "/carrier:" + name(setting.carrier) + "/mounts:" + std::to_string(setting.mounts) +
         "/tree:" + tree_name(setting) + "/crowd:" + std::to_string(setting.crowd) +
         "/user:" + name(setting.user);
}

std::string_view name(Part part) {
  constexpr std::array<std::string_view, parts> names{
      "prepare", "carrier", "namespaces", "propagation", "bind",
      "pivot",   "detach",  "teardown",   "setup",       "cycle"};
  return names[static_cast<std::size_t>(part)];
}

std::string_view why_not(const Setting& setting, Part part) {
  const bool bare_chroot = setting.strategy == Strategy::chroot && !setting.own_mounts;
  switch (part) {
    case Part::prepare:
      return setting.strategy == Strategy::template_ ? "" : "it prepares nothing";
    case Part::carrier:
      if (setting.carrier == Carrier::thread) return "a thread is there already";
      return "";
    case Part::namespaces:
      if (!bare_chroot) return "";
      return setting.user == UserNamespace::none ? "it makes no namespace"
                                                 : "the clone makes it: in carrier";
    case Part::propagation: return bare_chroot ? "it changes no propagation" : "";
    case Part::bind: return bare_chroot ? "it binds nothing" : "";
    case Part::detach:
      if (setting.strategy == Strategy::chroot) return "it leaves the old root where it is";
      if (setting.strategy == Strategy::move_chroot) return "it covers the old root: no detach";
      return "";
    case Part::pivot:
    case Part::teardown:
    case Part::setup:
    case Part::cycle: return "";
  }
  return "";
}

Cost& Cost::operator+=(const Cost& other) {
  wall_us += other.wall_us;
  cpu_us += other.cpu_us;
  voluntary += other.voluntary;
  involuntary += other.involuntary;
  measured = measured || other.measured;
  return *this;
}

}  // namespace pivotcheck::bench

// SPDX-License-Identifier: Apache-2.0
// capabilities.cc: what capabilities.h says.
#include "syscalls/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace pivotcheck::kernel {
namespace {

// Version 3 of the interface: two words, low 32 capabilities first.
struct CapabilitySets {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> words{};

  int get() { return static_cast<int>(::syscall(SYS_capget, &header, words.data())); }
  int set() { return static_cast<int>(::syscall(SYS_capset, &header, words.data())); }

  void drop(unsigned capability) {
    auto& word = words[capability / 32];
    const std::uint32_t keep = ~(1U << (capability % 32));
    word.permitted &= keep;
    word.effective &= keep;
    word.inheritable &= keep;
  }
  [[nodiscard]] bool effective(unsigned capability) const {
    return (words[capability / 32].effective >> (capability % 32) & 1U) != 0;
  }
};

}  // namespace

int drop_capabilities(Capabilities dropped) {
  CapabilitySets sets;
  if (sets.get() != 0) return errno;
  if (dropped.has(Capability::sys_admin)) sets.drop(CAP_SYS_ADMIN);
  if (dropped.has(Capability::sys_chroot)) sets.drop(CAP_SYS_CHROOT);
  if (dropped.has(Capability::dac)) {
    sets.drop(CAP_DAC_OVERRIDE);
    sets.drop(CAP_DAC_READ_SEARCH);
  }
  return sets.set() == 0 ? 0 : errno;
}

std::string missing_capabilities() {
  // Those that an operation of a scenario can ask for. CAP_SETFCAP: without it the maker of a user
  // namespace may not map its uid 0 (user_namespaces(7), Linux 5.12).
  static constexpr std::array<std::pair<unsigned, const char*>, 7> needed{{
      {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
      {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
      {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
      {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
      {CAP_FOWNER, "CAP_FOWNER"},
      {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
      {CAP_SETFCAP, "CAP_SETFCAP"},
  }};
  CapabilitySets sets;
  if (sets.get() != 0) return "capget";
  std::string missing;
  for (const auto& [capability, name] : needed) {
    if (sets.effective(capability)) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(name);
  }
  return missing;
}

}  // namespace pivotcheck::kernel

// SPDX-License-Identifier: Apache-2.0
// capabilities.cc: see capabilities.h.
#include "syscalls/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "syscalls/op_flags.h"

namespace pivotcheck::kernel {
namespace {

// Version 3 of the interface: two words, low 32 capabilities first.
struct CapabilitySets {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> words{};

  int get() { return static_cast<int>(::syscall(SYS_capget, &header, words.data())); }
  int set() { return static_cast<int>(::syscall(SYS_capset, &header, words.data())); }

  [[nodiscard]] bool effective(unsigned capability) const {
    return (words[capability / 32].effective >> (capability % 32) & 1U) != 0;
  }
};

}  // namespace

std::uint64_t capability_bits(Capabilities capabilities) {
  constexpr auto bit = [](unsigned number) { return std::uint64_t{1} << number; };
  constexpr std::array<std::uint64_t, 3> bits{bit(CAP_SYS_ADMIN), bit(CAP_SYS_CHROOT),
                                              bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH)};
  return bits_of(capabilities, bits);
}

int drop_capabilities(std::uint64_t bits) {
  CapabilitySets sets;
  if (sets.get() != 0) return errno;
  for (unsigned i = 0; i < sets.words.size(); ++i) {
    const auto kept = static_cast<std::uint32_t>(~bits >> (32 * i));
    sets.words[i].permitted &= kept;
    sets.words[i].effective &= kept;
    sets.words[i].inheritable &= kept;
  }
  return sets.set() == 0 ? 0 : errno;
}

void set_effective_capabilities(std::uint64_t bits) {
  CapabilitySets sets;
  if (sets.get() != 0) return;
  for (unsigned i = 0; i < sets.words.size(); ++i) {
    sets.words[i].effective =
        static_cast<std::uint32_t>(bits >> (32 * i)) & sets.words[i].permitted;
  }
  sets.set();
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

// SPDX-License-Identifier: Apache-2.0
// situations.h: which of the rare situations a scenario reaches, of those in which mistakes are
// made: propagation over several namespaces, locks, covers, mounts in use elsewhere. That all rules
// are reached says nothing about them, because propagation refuses nothing.
//
//     A: make-rshared /              spawn B; B: unshare user,mnt; B: mount tmpfs /a/b ...
//     A: umount /a detach      -->   umount-over-3-namespaces, locked-copy-stays
//
// It is the model that is asked, never a kernel. Each is a row of situation_rows.h.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/predict.h"

namespace pivotcheck::gen {

enum class Situation : std::uint8_t {
#define SITUATION(identifier, sentence) identifier,
#include "check/gen/situation_rows.h"
#undef SITUATION
};

inline constexpr std::size_t situations_count =
#define SITUATION(...) +1
    0
#include "check/gen/situation_rows.h"
    ;
#undef SITUATION

struct SituationInfo {
  std::string_view name;  // "slave-chain-2"
  std::string_view sentence;
};
std::span<const SituationInfo> situation_table();  // by Situation

using Situations = std::bitset<situations_count>;  // by Situation

// Those that the scenario reaches. The model applies its steps once more.
Situations situations_of(const Prediction& scenario);

// How many masters are above a mount: 0 if it is no slave.
int masters_above(const model::World& world, model::MountIndex mount);

}  // namespace pivotcheck::gen

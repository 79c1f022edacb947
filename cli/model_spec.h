// SPDX-License-Identifier: Apache-2.0
// model_spec.h: the kernel that a model is asked for, as text, so that other programs can ask for
// any:
//
//     running                              this machine's
//     6.12.117                             that release's
//     contract                             what was promised: no kernel's quirks
//     6.12.117,lock_rises_with_cover=off   the same, but for that trait (core/model/traits.h)
#pragma once

#include <string_view>

#include "base/failure.h"
#include "json.h"
#include "model/traits.h"

namespace pivotcheck::cli {

Expected<KernelTraits> parse_model(std::string_view spec);

// {"lock_rises_with_cover":true, ...}, in the order of traits.h.
Json json_of(const KernelTraits& traits);

}  // namespace pivotcheck::cli

// SPDX-License-Identifier: Apache-2.0
// privilege.h: where a world lives. userns: in a user namespace made for it, as an unprivileged
// person would have it; its root mount is locked. root: in the machine's own user namespace; the
// root mount is not locked.
#pragma once

namespace pivotcheck {

enum class Privilege : unsigned char { userns, root };

}  // namespace pivotcheck

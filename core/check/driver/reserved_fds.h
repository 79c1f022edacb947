// SPDX-License-Identifier: Apache-2.0
// reserved_fds.h: the descriptors that the executor keeps, always under the same numbers. Tasks are
// forks of the executor and have them as well.
//
//     0 owner          the socket to the process that owns the KernelDriver
//     1 proc           /proc of the machine (O_PATH): the world has none
//     2 stderr         as inherited, for the text of a failed assertion
//     3 template_ns    the mount namespace of which every world is a copy
//     4 template_root  the root directory of the template's tmpfs, for reading
//     5...             handles of the scenario
//
// None of them holds a reference to a mount of a world, which would change its answers (EBUSY from
// a plain umount): `proc` is a mount of the executor's own first namespace, `template_root` is the
// template's mount, of which a world has a copy.
#pragma once

namespace pivotcheck::kernel::reserved_fds {

inline constexpr int owner = 0;
inline constexpr int proc = 1;
inline constexpr int template_ns = 3;
inline constexpr int template_root = 4;
inline constexpr unsigned first_free = 5;

}  // namespace pivotcheck::kernel::reserved_fds

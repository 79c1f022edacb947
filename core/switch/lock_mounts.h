// SPDX-License-Identifier: Apache-2.0
// lock_mounts.h: what a switch mounts stays as it is, even for a command with CAP_SYS_ADMIN.
//
// A mount namespace whose owner is another user namespace than that of the namespace it was copied
// from has locked mounts: nobody in it can unmount one of them, or take away ro, nosuid, nodev or
// noexec, with whatever capabilities, nor in a copy of it (mount_namespaces(7), "Restrictions on
// mount namespaces"). So a helper makes such a copy, in a user namespace of its own, and the process
// that is to be the command enters only the mount namespace:
//
//     process                                    helper
//       | -- clone: new user and mount             |
//       |    namespaces, the same descriptors ---> |  is in the copy, its directory as well;
//       |                                          |  opens both, ends
//       |  enters the copy, goes to the directory
//
// The process keeps its user namespace, which is the parent of the helper's, and so its rights over
// the copy: it may mount more.
#pragma once

namespace pivotcheck::rootswitch {

// `proc` is a proc filesystem that shows this process, perhaps by another number; it may lie outside
// the root. 0; or the errno of what was refused, and then nothing has changed. EPERM for a process
// whose root is no mount (user_namespaces(7), "Creating user namespaces"). On success the root is
// that of the mount namespace, the working directory the copy of what it was. Allocates nothing: the
// child calls it. Its memory must be its own.
int lock_mounts(int proc);

}  // namespace pivotcheck::rootswitch

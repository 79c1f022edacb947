// SPDX-License-Identifier: Apache-2.0
// baseline.cc: what `ci/bench --rivals` measures the command against.
//
//     baseline                        does nothing
//     baseline COMMAND                executes it
//     baseline COMMAND ROOT PARENT    executes it in ROOT, which is on the mount PARENT: the system
//                                     calls of dot-dot, as few as they can be, in a child by vfork.
//                                     What the command costs above this is its own
//
// Linked statically it is `static_true`, which is also what is run in the new root; with the
// libraries and options of the command it is `empty`.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool switched(const char* root, const char* parent) {
  if (unshare(CLONE_NEWNS) != 0) return false;
  if (mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) return false;
  if (mount("none", parent, nullptr, MS_PRIVATE, nullptr) != 0) return false;
  if (mount(root, root, nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  const int old_root = open("/", O_PATH | O_CLOEXEC);
  const int new_root = open(root, O_PATH | O_CLOEXEC);
  return fchdir(new_root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
         fchdir(old_root) == 0 && mount("none", ".", nullptr, MS_SLAVE | MS_REC, nullptr) == 0 &&
         umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

int main(int argc, char** argv) {
  if (argc < 2) return 0;
  char* const words[] = {argv[1], nullptr};
  const pid_t child = argc < 4 ? 0 : vfork();
  if (child == 0) {
    if (argc < 4 || switched(argv[2], argv[3])) execv(words[0], words);
    _exit(125);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

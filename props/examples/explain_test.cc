// SPDX-License-Identifier: Apache-2.0
// explain_test.cc: what `pivotcheck explain` says about mountinfo texts, as bug reports quote them,
// and about a process under a seccomp filter. Real mounts are what props/command/explain_test.sh is
// about.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "examples.h"
#include "explain/explain.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"
#include "syscalls/capabilities.h"

namespace pivotcheck::explain {
namespace {

// / shared, as systemd has it; /new private on it.
constexpr std::string_view systemd =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "23 22 0:21 / /proc rw shared:2 - proc proc rw\n"
    "30 22 0:40 / /new rw - tmpfs none rw\n";
constexpr std::string_view all_private =
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "30 22 0:40 / /new rw - tmpfs none rw\n"
    "31 22 0:41 / /other rw - tmpfs none rw\n";
constexpr std::string_view initramfs =
    "1 1 0:2 / / rw - rootfs rootfs rw\n"
    "20 1 0:40 / /new rw - tmpfs none rw\n";

Answer ask(std::string_view mountinfo, OfflineQuestion query) {
  if (query.root.empty()) query.root = "/";
  const auto process = view_mountinfo(mountinfo, query);
  REQUIRE(process);
  return explain(*process);
}
Answer ask(std::string_view mountinfo, std::string new_root, std::string put_old) {
  return ask(
      mountinfo,
      OfflineQuestion{.root = "/", .new_root = std::move(new_root), .put_old = std::move(put_old)});
}

// The rule that refuses, those that would do so next, and a command a line; or the conclusion.
std::string text_of(const Answer& answer) {
  std::string text(name(answer.conclusion));
  if (answer.conclusion == Conclusion::refused) text = answer.first.reason->name;
  for (const Reason reason : answer.further) text.append(", ").append(reason->name);
  for (const std::string& command : answer.commands) text.append("\n").append(command);
  return text;
}
std::string said(auto... question) { return text_of(ask(question...)); }

TEST_CASE("what would succeed is drawn before and after") {
  const Answer answer = ask(all_private, "/new", "/new/old");
  CHECK(text_of(answer) == "would succeed");
  REQUIRE(answer.after.size() > 2);
  CHECK(answer.after[1].starts_with("/ "));
  CHECK(std::ranges::any_of(answer.after, [](const std::string& line) {
    return line.find("/old/other") != std::string::npos;
  }));
}

TEST_CASE("each rule on the way is named, and private comes before the bind") {
  CHECK(said(systemd, "/srv", "/new") ==
        "new-root-on-root-mount, new-root-parent-shared, put-old-not-under-new-root, "
        "put-old-mount-shared\n"
        "mount --make-private /\n"
        "mount --bind /srv /srv\n"
        "mkdir -p /srv/.put_old\n"
        "pivot_root /srv /srv/.put_old");
  CHECK(said(systemd, "/srv", "/srv/old") ==
        "put-old-mount-shared, new-root-on-root-mount\n"
        "mount --make-private /\n"
        "mount --bind /srv /srv");
}

TEST_CASE("the mounts that it is about come with their lines") {
  const Answer answer = ask(systemd, "/new", "/new");
  CHECK(text_of(answer) == "new-root-parent-shared\nmount --make-private /");
  REQUIRE(answer.mounts.size() == 2);
  CHECK(answer.mounts[1].seen->text == "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw");
}

TEST_CASE("put_old outside of new_root takes another call") {
  CHECK(said(all_private, "/new", "/other") ==
        "put-old-not-under-new-root\n"
        "mkdir -p /new/.put_old\n"
        "pivot_root /new /new/.put_old");
}

TEST_CASE("the root itself is never a new root") {
  const Answer answer = ask(all_private, "/", "/x");
  CHECK(text_of(answer) == "new-root-on-root-mount");
  CHECK(answer.no_fix_for == &info(Rule::new_root_on_root_mount));
}

TEST_CASE("rootfs is known by being its own parent") {
  const Answer answer = ask(initramfs, "/new", "/new/old");
  CHECK(text_of(answer) ==
        "root-is-rootfs\n"
        "mount --rbind / /\n"
        "chroot /.. sh -c 'pivot_root /new /new/old'");
  CHECK(answer.first.outcome.error == EINVAL);
  // What the kernel looks at before it asks for the root's parent.
  CHECK(said(initramfs, "/dir", "/dir") ==
        "new-root-on-root-mount, root-is-rootfs\n"
        "mount --bind /dir /dir\n"
        "mount --rbind / /\n"
        "chroot /.. sh -c 'pivot_root /dir /dir'");
}

TEST_CASE("a chroot is told by the root that is given") {
  OfflineQuestion query{.root = "/other", .new_root = "/n", .put_old = "/n"};
  CHECK(said(all_private, query) == "new-root-on-root-mount\nmount --bind /n /n");
  query.root = "/srv";
  CHECK(said(all_private, query) ==
        "new-root-on-root-mount, root-not-mount-point\n"
        "mount --bind /n /n\n"
        "mount --rbind / /\n"
        "chroot /.. sh -c 'pivot_root /n /n'");
}

TEST_CASE("a text without the line of a parent has two readings") {
  const auto unclear = [](std::string_view text, std::string_view words) {
    const Answer answer = ask(text, "/new", "/new");
    CHECK(text_of(answer) == "cannot tell");
    REQUIRE(answer.cannot_tell.size() == 1);
    CHECK(answer.cannot_tell[0].starts_with(words));
    CHECK(answer.cannot_tell[0].contains("cut"));
    CHECK(answer.cannot_tell[0].contains("chroot"));
  };
  unclear("30 22 0:40 / /new rw - tmpfs none rw\n", "what / is");
  unclear("22 1 8:1 / / rw - ext4 x rw\n31 30 0:40 / /new/a rw - tmpfs none rw\n",
          "what /new/a is mounted on: mount 30");
}

TEST_CASE("relative arguments start at the current directory") {
  OfflineQuestion query{.root = "/", .current_directory = "/new", .new_root = ".", .put_old = "."};
  CHECK(said(all_private, query) == "would succeed");
  query.current_directory = "/srv";
  CHECK(said(all_private, query) == "new-root-on-root-mount\nmount --bind . .\ncd \"$PWD\"");
}

TEST_CASE("without the capability nothing else is looked at") {
  OfflineQuestion query{.root = "/", .capabilities = {}, .new_root = "/new", .put_old = "/new"};
  CHECK(said(all_private, query) ==
        "pivot-no-capability, new-root-locked\n"
        "unshare --user --map-root-user --mount sh -c "
        "'mount --rbind /new /new && pivot_root /new /new'");
}

TEST_CASE("words of the script are quoted") {
  CHECK(said(all_private, "/it's", "/it's") ==
        "new-root-on-root-mount\nmount --bind '/it'\\''s' '/it'\\''s'");
}

TEST_CASE("a mountinfo that is none gets a line that says where") {
  const auto process = view_mountinfo("22 1 8:1 / / rw - ext4\n", {.root = "/"});
  REQUIRE_FALSE(process);
  CHECK(process.error().starts_with("line 1: "));
  CHECK_FALSE(view_mountinfo("", {.root = "/"}));
}

TEST_CASE("what can't be seen from outside gives both answers") {
  auto process = view_mountinfo(all_private, {.root = "/", .new_root = "/new", .put_old = "/new"});
  REQUIRE(process);
  process->machine_owns = false;  // a mount may be locked
  const Answer locked = explain(*process);
  CHECK(text_of(locked) == "cannot tell\nmount --rbind /new /new");
  CHECK(locked.cannot_tell.size() == 1);
  process->machine_owns = true;
  process->unseen_refusals = {"whether the AppArmor profile x (enforce) allows pivot_root"};
  CHECK(explain(*process).conclusion == Conclusion::cannot_tell);
}

// In a child: a filter that answers a call with `action` stays for as long as its process does.
bool add_filter(long call, std::uint32_t action) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // the number of the call
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = 4, .filter = program};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

std::uint32_t answer_with(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

int explain_under_filter(int error) {
  if (!add_filter(SYS_pivot_root, answer_with(error))) return 77;
  const auto process = view_process(0, PathAsked{"/proc"}, PathAsked{"/proc"}, KernelTraits{});
  if (!process) return 3;
  const Answer answer = explain(*process);
  const bool right = answer.conclusion == Conclusion::refused &&
                     answer.first.reason == &seccomp_filter &&
                     answer.first.outcome.error == error && answer.commands.empty();
  return right ? 0 : 1;
}

TEST_CASE("a seccomp filter is asked, not guessed") {
  CHECK(status_of_child([] { return explain_under_filter(ENOTTY); }) == 0);
}

// In namespaces of its own, with the capability there; / and all below are private.
bool enter_own_namespaces() {
  const int kinds = ::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;
  return ::unshare(kinds) == 0 && ::mount("none", "/", "", MS_REC | MS_PRIVATE, nullptr) == 0;
}
std::string told(const char* new_root) {
  const auto process = view_process(0, PathAsked{new_root}, PathAsked{new_root}, KernelTraits{});
  return process ? text_of(explain(*process, false)) : "cannot tell";
}

// 0: each answer is that of a process without the filter, or that it can't be told.
int look_under_filter(long call, std::uint32_t action) {
  if (!enter_own_namespaces()) return 2;
  constexpr std::array<const char*, 3> paths{"/proc", "/nothing", "/etc"};
  std::array<std::string, 3> before;
  std::ranges::transform(paths, before.begin(), told);
  if (!add_filter(call, action)) return 2;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string after = told(paths[i]);
    if (after == before[i] || after == "cannot tell") continue;
    fmt::print("call {}: {}: {} instead of {}\n", call, paths[i], after, before[i]);
    return 1;
  }
  return 0;
}

TEST_CASE("a look that a filter refuses is never taken for what it would have shown") {
  if (!user_namespaces_allowed()) return;
  for (const long call : {SYS_statx, SYS_openat, SYS_readlinkat, SYS_ioctl, SYS_move_mount,
                          SYS_newfstatat, SYS_fstat, SYS_umount2, SYS_unshare, SYS_fchdir,
                          SYS_chroot, SYS_getdents64, SYS_landlock_create_ruleset}) {
    for (const int error : {ENOSYS, EPERM, EACCES, EMFILE, ENOENT}) {
      CAPTURE(call);
      CAPTURE(error);
      CHECK(status_of_child([&] { return look_under_filter(call, answer_with(error)); }) == 0);
    }
  }
  const auto dies = [] { return look_under_filter(SYS_umount2, SECCOMP_RET_KILL_PROCESS); };
  CHECK(status_of_child(dies) == 0);
}

TEST_CASE("the call and errno of a look that failed are told") {
  if (!user_namespaces_allowed()) return;
  CHECK(status_of_child([] {
          if (!add_filter(SYS_statx, answer_with(ENOSYS))) return 2;
          const auto process =
              view_process(0, PathAsked{"/proc"}, PathAsked{"/proc"}, KernelTraits{});
          return !process && process.error().what.contains("statx: ENOSYS") &&
                         process.error().error == ENOSYS
                     ? 0
                     : 1;
        }) == 0);
}

// Without CAP_SYS_ADMIN. 0: unshare --user is proposed, or not, as it should be.
int propose_user_namespace(bool can_work) {
  if (kernel::drop_capabilities(kernel::capability_bits({Capability::sys_admin})) != 0) return 2;
  if (!can_work && !add_filter(SYS_unshare, answer_with(ENOSPC))) return 2;
  const auto process = view_process(0, PathAsked{"/proc"}, PathAsked{"/proc"}, KernelTraits{});
  if (!process) return 3;
  const std::string text = text_of(explain(*process));
  const bool is_told = process->no_user_namespace.contains("ENOSPC");
  return text.contains("--map-root-user") == can_work && is_told != can_work ? 0 : 1;
}

TEST_CASE("a user namespace is proposed where one can be had") {
  if (!user_namespaces_allowed()) return;
  CHECK(status_of_child([] { return propose_user_namespace(true); }) == 0);
  CHECK(status_of_child([] { return propose_user_namespace(false); }) == 0);
}

TEST_CASE("a filter that may refuse is named, whatever else is wrong") {
  auto process = view_mountinfo(systemd, {.root = "/", .new_root = "/new", .put_old = "/new"});
  REQUIRE(process);
  process->unseen_refusals = {"whether the seccomp filter lets pivot_root through"};
  const Answer answer = explain(*process);
  CHECK(answer.conclusion == Conclusion::refused);
  CHECK(answer.may_refuse == process->unseen_refusals);
}

// In a Landlock sandbox that handles the making of directories, and allows them nowhere; without
// no_new_privs, as CAP_SYS_ADMIN may.
int explain_in_a_sandbox() {
  if (!enter_own_namespaces()) return 2;
  const std::uint64_t make_dir = 1U << 7U;  // LANDLOCK_ACCESS_FS_MAKE_DIR, in the first version too
  const long rules = ::syscall(SYS_landlock_create_ruleset, &make_dir, sizeof(make_dir), 0);
  if (rules < 0) return 77;
  if (::syscall(SYS_landlock_restrict_self, rules, 0) != 0) return 2;
  const auto process = view_process(0, PathAsked{"/proc"}, PathAsked{"/proc"}, KernelTraits{});
  if (!process) return 3;
  const Answer answer = explain(*process);
  return answer.first.reason == &security_module && answer.first.outcome.error == EPERM ? 0 : 1;
}

TEST_CASE("a Landlock sandbox is told, also without no_new_privs") {
  if (!user_namespaces_allowed()) return;
  const int status = status_of_child(explain_in_a_sandbox);
  if (status == 77) return not_run("the kernel has no Landlock");
  CHECK(status == 0);
}

}  // namespace
}  // namespace pivotcheck::explain

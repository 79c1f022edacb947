// SPDX-License-Identifier: Apache-2.0
// observe_test.cc: the two sources of a Snapshot, in small worlds made by hand, and the parser of
// mountinfo. Each world is made by a forked child in namespaces of its own, which then does nothing
// more; both sources must show what was made.
//
// Worlds owned by the machine's own user namespace take root, the others user namespaces, and one
// of the sources listmount: where one of these is missing, the test case counts as not run.
#include "observe/observe.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>

#include "check/compare/compare.h"
#include "not_run.h"
#include "observe/mountinfo.h"
#include "view/draw.h"

namespace pivotcheck {
namespace {

// What the tasks of a world report to the test, in shared memory.
struct Board {
  struct Task {
    char name[8];
    pid_t pid;
    struct {
      char name[8];
      int descriptor;
    } handles[8];
    int handle_count;
  };
  Task tasks[4];
  int task_count;
  int failed_line;  // of this file; 0: none
};

Board* board = nullptr;
int ready[2];  // a byte from A when the world is made

#define MUST(call)                         \
  do {                                     \
    if ((call) < 0) {                      \
      board->failed_line = __LINE__;       \
      std::perror(#call);                  \
      _exit(1);                            \
    }                                      \
  } while (false)

Board::Task& enroll(const char* name) {
  Board::Task& task = board->tasks[board->task_count];
  std::strcpy(task.name, name);
  task.pid = getpid();
  ++board->task_count;
  return task;
}

// In a task of the world.
int open_handle(Board::Task& task, const char* name, const char* path) {
  const int descriptor = open(path, O_PATH | O_CLOEXEC);
  MUST(descriptor);
  std::strcpy(task.handles[task.handle_count].name, name);
  task.handles[task.handle_count++].descriptor = descriptor;
  return descriptor;
}

void change(const char* path, unsigned long flags) {
  MUST(mount(nullptr, path, nullptr, flags, nullptr));
}
void tmpfs(const char* path, unsigned long flags = 0) {
  MUST(mount("none", path, "tmpfs", flags, nullptr));
}
void ramfs(const char* path) { MUST(mount("none", path, "ramfs", 0, nullptr)); }
void bind(const char* from, const char* to) { MUST(mount(from, to, nullptr, MS_BIND, nullptr)); }
void make_directory(const char* path) { MUST(mkdir(path, 0755)); }

// A second task, which does `what` and then nothing more; returns after that.
void spawn(const char* name, const std::function<void(Board::Task&)>& what) {
  int done[2];
  MUST(pipe(done));
  const pid_t pid = fork();
  MUST(pid);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Board::Task& task = enroll(name);
    what(task);
    MUST(write(done[1], "", 1));
    while (true) pause();
  }
  close(done[1]);
  char byte;
  if (read(done[0], &byte, 1) != 1) _exit(1);
  close(done[0]);
}

void write_file(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY);
  MUST(file);
  MUST(write(file, text.data(), text.size()));
  close(file);
}

void enter_empty_world(bool user_namespace) {
  const std::string user = "0 " + std::to_string(geteuid()) + " 1";
  const std::string group = "0 " + std::to_string(getegid()) + " 1";
  MUST(unshare(CLONE_NEWNS | (user_namespace ? CLONE_NEWUSER : 0)));
  if (user_namespace) {
    write_file("/proc/self/uid_map", user);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/gid_map", group);
  }
  change("/", MS_REC | MS_PRIVATE);
  tmpfs("/tmp");
  MUST(chdir("/tmp"));
  MUST(syscall(SYS_pivot_root, ".", "."));
  MUST(umount2(".", MNT_DETACH));
  MUST(chdir("/"));
  umask(0);
}

// A world in which `make` was done by task A.
class World {
 public:
  World(bool user_namespace, const std::function<void(Board::Task&)>& make) {
    board = static_cast<Board*>(mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    REQUIRE(board != MAP_FAILED);
    const int piped = pipe(ready);
    REQUIRE(piped == 0);
    first_ = fork();
    REQUIRE(first_ >= 0);
    if (first_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      enter_empty_world(user_namespace);
      make(enroll("A"));
      MUST(write(ready[1], "", 1));
      while (true) pause();
    }
    close(ready[1]);
    char byte;
    const bool made = read(ready[0], &byte, 1) == 1;
    INFO("line that failed in the world: ", board->failed_line);
    REQUIRE(made);
    for (int i = 0; i < board->task_count; ++i) add(board->tasks[i]);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    kill(first_, SIGKILL);  // the others follow
    waitpid(first_, nullptr, 0);
    close(ready[0]);
    munmap(board, sizeof(Board));
  }
  [[nodiscard]] const std::vector<LiveTask>& tasks() const { return tasks_; }

 private:
  void add(const Board::Task& task) {
    LiveTask live{task.name, task.pid, {}};
    for (int i = 0; i < task.handle_count; ++i) {
      live.handles.emplace_back(task.handles[i].name, task.handles[i].descriptor);
    }
    tasks_.push_back(std::move(live));
  }
  pid_t first_ = -1;
  std::vector<LiveTask> tasks_;
};

const Observer& the_observer() {
  static const Expected<Observer> observer = Observer::make();
  REQUIRE(observer.has_value());
  return *observer;
}

Observation observed(const World& world, Source source) {
  Expected<Observation> observation = the_observer().observe(world.tasks(), source);
  INFO((observation ? std::string() : observation.error().what));
  REQUIRE(observation.has_value());
  observation->snapshot = canonical(std::move(observation->snapshot));
  return std::move(*observation);
}

// One text, every run of blanks as one: columns are the drawing's business.
std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != ' ' || text.empty() || (text.back() != ' ' && text.back() != '\n')) {
        text += line[i];
      }
    }
    text += "\n";
  }
  return text;
}

// Those that this kernel has.
std::vector<Source> sources() {
  if (the_observer().has(Source::listmount)) return {Source::listmount, Source::mountinfo};
  not_run("by listmount: this kernel has none");
  return {Source::mountinfo};
}

bool is_root() {
  if (geteuid() != 0) not_run("worlds owned by the machine's user namespace: they take root");
  return geteuid() == 0;
}

bool user_namespaces_allowed() {
  const pid_t pid = fork();
  if (pid == 0) _exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : 1);
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) not_run("worlds in user namespaces: they are forbidden here");
  return status == 0;
}

// In each kind of world that can be made here: each source shows all of it, as it is drawn.
void expect(const std::function<void(Board::Task&)>& make,
            const std::vector<std::string>& drawing) {
  for (const bool user_namespace : {true, false}) {
    if (user_namespace ? !user_namespaces_allowed() : !is_root()) continue;
    CAPTURE(user_namespace);
    const World world(user_namespace, make);
    for (const Source source : sources()) {
      CAPTURE(static_cast<int>(source));
      const Observation observation = observed(world, source);
      CHECK(observation.complete);
      CHECK(joined(draw(observation.snapshot)) == joined(drawing));
    }
  }
}

// In a world where something is hidden from mountinfo. Only the count of mounts shows that
// something is hidden, and kernels without listmount have no such count.
void expect_hidden(const std::function<void(Board::Task&)>& make,
                   const std::vector<std::string>& drawing) {
  if (!user_namespaces_allowed()) return;
  if (sources().size() < 2) return;
  const World world(true, make);
  const Observation by_listmount = observed(world, Source::listmount);
  const Observation by_mountinfo = observed(world, Source::mountinfo);
  CHECK_FALSE(by_mountinfo.complete);
  CHECK(by_listmount.complete);
  CHECK(joined(draw(by_listmount.snapshot)) == joined(drawing));
}

TEST_CASE("observe: an empty world") {
  expect([](Board::Task&) {}, {"namespace 1: A", "/ #1 fs-1:/", "A root #1 / cwd #1 /"});
}

TEST_CASE("observe: flags, read-only filesystems, binds of directories, ramfs") {
  const auto make = [](Board::Task&) {
    for (const char* path : {"/a", "/b", "/c", "/d", "/e"}) make_directory(path);
    make_directory("/a/sub");
    tmpfs("/b", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
    bind("/a/sub", "/c");
    MUST(mount(nullptr, "/c", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr));
    ramfs("/d");
    tmpfs("/e", MS_NODIRATIME | MS_STRICTATIME);
    MUST(chdir("/a/sub"));
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/",
                "|-- /b #2 fs-2:/ ro,nosuid,nodev,noexec,noatime fs-ro",
                "|-- /c #3 fs-1:/a/sub ro", "|-- /d #4 fs-3:/", "`-- /e #5 fs-4:/",
                "A root #1 / cwd #1 /a/sub"});
}

TEST_CASE("observe: shared, slave, both, unbindable") {
  const auto make = [](Board::Task&) {
    for (const char* path : {"/a", "/b", "/c", "/d", "/e"}) make_directory(path);
    tmpfs("/a");
    change("/a", MS_SHARED);
    bind("/a", "/b");
    bind("/a", "/c");
    change("/c", MS_SLAVE);
    bind("/c", "/d");
    change("/d", MS_SHARED);
    tmpfs("/e");
    change("/e", MS_UNBINDABLE);
    make_directory("/a/x");
    tmpfs("/a/x");
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "|-- /a #2 fs-2:/ shared 1",
                "| `-- /a/x #3 fs-3:/ shared 2", "|-- /b #4 fs-2:/ shared 1",
                "| `-- /b/x #5 fs-3:/ shared 2", "|-- /c #6 fs-2:/ slave of 1",
                "| `-- /c/x #7 fs-3:/ slave of 2", "|-- /d #8 fs-2:/ shared 3, slave of 1",
                "| `-- /d/x #9 fs-3:/ shared 4, slave of 2", "`-- /e #10 fs-4:/ unbindable",
                "A root #1 / cwd #1 /"});
}

// A's /a is master of B's, which is master of C's, where B's group is not visible from C.
TEST_CASE("observe: a slave receives from a group beyond its master") {
  const auto make = [](Board::Task&) {
    make_directory("/a");
    make_directory("/b");
    tmpfs("/a");
    change("/a", MS_SHARED);
    spawn("B", [](Board::Task&) {
      MUST(unshare(CLONE_NEWNS));
      bind("/a", "/b");
      change("/b", MS_SLAVE);
      change("/b", MS_SHARED);
      spawn("C", [](Board::Task&) {
        MUST(unshare(CLONE_NEWNS));
        change("/b", MS_SLAVE);
      });
      change("/a", MS_PRIVATE);
    });
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "`-- /a #2 fs-2:/ shared 1",
                "A root #1 / cwd #1 /",
                "namespace 2: B", "/ #3 fs-1:/", "|-- /a #4 fs-2:/",
                "`-- /b #5 fs-2:/ shared 2, slave of 1", "B root #3 / cwd #3 /", "namespace 3: C",
                "/ #6 fs-1:/", "|-- /a #7 fs-2:/ shared 1",
                "`-- /b #8 fs-2:/ slave of 2, receives from 1", "C root #6 / cwd #6 /"});
}

// The master's only member is in a tree that was cloned and never attached.
TEST_CASE("observe: a master group of which no namespace has a member") {
  const auto make = [](Board::Task& task) {
    for (const char* path : {"/a", "/b", "/c"}) make_directory(path);
    tmpfs("/a");
    change("/a", MS_SHARED);
    bind("/a", "/b");
    change("/b", MS_SLAVE);
    change("/b", MS_SHARED);
    bind("/b", "/c");
    const long tree = syscall(SYS_open_tree, AT_FDCWD, "/b", 1 /* OPEN_TREE_CLONE */);
    MUST(tree);
    std::strcpy(task.handles[0].name, "h");
    task.handles[task.handle_count++].descriptor = static_cast<int>(tree);
    change("/c", MS_SLAVE);
    MUST(umount2("/b", 0));
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "|-- /a #2 fs-2:/ shared 1",
                "`-- /c #3 fs-2:/ slave of 2, receives from 1", "A root #1 / cwd #1 /",
                "@h detached #1 /"});
}

TEST_CASE("observe: what is stacked on / hides nothing from the lower root") {
  const auto make = [](Board::Task& task) {
    make_directory("/a");
    tmpfs("/a");
    tmpfs("/");
    open_handle(task, "h", "/..");
    spawn("B", [](Board::Task&) { MUST(chroot("/..")); });
  };
  expect(make, {"namespace 1: A, B", "/ #1 fs-1:/", "|-- / #2 fs-2:/", "`-- /a #3 fs-3:/",
                "A root #1 / cwd #1 /", "@h #2 /", "B root #2 / cwd #1 /"});
}

TEST_CASE("observe: a root that hides mounts from mountinfo hides nothing from listmount") {
  expect_hidden(
      [](Board::Task&) {
        make_directory("/a");
        tmpfs("/a");
        tmpfs("/");
        MUST(chroot("/.."));
        make_directory("/above");
        tmpfs("/above");
      },
      {"namespace 1: A", "/ #1 fs-1:/", "|-- / #2 fs-2:/", "| `-- /above #3 fs-3:/",
       "`-- /a #4 fs-4:/", "A root #2 / cwd #1 /"});
  expect_hidden(
      [](Board::Task&) {
        make_directory("/a");
        make_directory("/a/b");
        tmpfs("/a/b");
        MUST(chroot("/a"));
      },
      {"namespace 1: A", "/ #1 fs-1:/", "`-- /a/b #2 fs-2:/", "A root #1 /a cwd #1 /"});
}

TEST_CASE("observe: removed directories, and names that look like it") {
  const auto make = [](Board::Task& task) {
    for (const char* path : {"/a", "/a/b", "/c", "/d", "/x (deleted)", "/e (deleted)"}) {
      make_directory(path);
    }
    bind("/a/b", "/c");
    open_handle(task, "f", "/d");
    open_handle(task, "g", "/x (deleted)");
    open_handle(task, "h", "/e (deleted)");
    const int file = open("/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    MUST(file);
    close(file);
    open_handle(task, "i", "/file");
    MUST(chdir("/a/b"));
    for (const char* path : {"/a/b", "/a", "/d", "/e (deleted)"}) MUST(rmdir(path));
    MUST(unlink("/file"));
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "`-- /c #2 fs-1:/a/b (removed)",
                "A root #1 / cwd #1 /a/b (removed)", "@f #1 /d (removed)",
                "@g #1 \"/x (deleted)\"", "@h #1 \"/e (deleted)\" (removed)",
                "@i #1 /file (removed)"});
}

TEST_CASE("observe: removed things on ramfs, and what a rename replaced") {
  const auto make = [](Board::Task& task) {
    make_directory("/r");
    ramfs("/r");
    for (const char* path : {"/r/a", "/r/b", "/r/c"}) make_directory(path);
    for (const char* path : {"/r/f", "/r/g"}) close(open(path, O_CREAT | O_WRONLY, 0644));
    open_handle(task, "a", "/r/a");
    open_handle(task, "b", "/r/b");
    open_handle(task, "c", "/r/c");
    open_handle(task, "g", "/r/g");
    MUST(rmdir("/r/a"));
    MUST(rename("/r/b", "/r/c"));
    MUST(rename("/r/f", "/r/g"));
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "`-- /r #2 fs-2:/", "A root #1 / cwd #1 /",
                "@a #2 /r/a (removed)", "@b #2 /r/c", "@c #2 /r/c (removed)",
                "@g #2 /r/g (removed)"});
}

TEST_CASE("observe: a mount that was lazily unmounted is detached") {
  const auto make = [](Board::Task& task) {
    make_directory("/a");
    tmpfs("/a");
    make_directory("/a/sub");
    make_directory("/a/gone");
    open_handle(task, "h", "/a/sub");
    open_handle(task, "g", "/a/gone");
    MUST(chdir("/a"));
    MUST(rmdir("/a/gone"));
    MUST(umount2("/a", MNT_DETACH));
    tmpfs("/a");
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "`-- /a #2 fs-2:/",
                "A root #1 / cwd detached #1 /", "@g detached #1 /gone (removed)",
                "@h detached #1 /sub"});
}

TEST_CASE("observe: two namespaces, and a handle from one into the other") {
  const auto make = [](Board::Task& task) {
    make_directory("/a");
    tmpfs("/a");
    make_directory("/a/x");
    open_handle(task, "h", "/a/x");
    spawn("B", [](Board::Task& other) {  // inherits the descriptor, and calls it "old"
      const int inherited = board->tasks[0].handles[0].descriptor;
      MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS));
      std::strcpy(other.handles[0].name, "old");
      other.handles[other.handle_count++].descriptor = inherited;
      MUST(chdir("/a"));
    });
    spawn("C", [](Board::Task&) {});
  };
  expect(make, {"namespace 1: A, C", "/ #1 fs-1:/", "`-- /a #2 fs-2:/", "A root #1 / cwd #1 /",
                "@h #2 /a/x", "C root #1 / cwd #1 /", "namespace 2: B", "/ #3 fs-1:/",
                "`-- /a #4 fs-2:/", "B root #3 / cwd #4 /a", "@old #2 /a/x"});
}

TEST_CASE("observe: a mount of a namespace that is gone is detached") {
  const auto make = [](Board::Task& task) {
    make_directory("/a");
    tmpfs("/a");
    open_handle(task, "h", "/a");
    MUST(unshare(CLONE_NEWNS));
    if (access("/proc", F_OK) == 0) _exit(1);
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "`-- /a #2 fs-2:/", "A root #1 / cwd #1 /",
                "@h detached #1 /"});
}

TEST_CASE("observe: pivot_root inside the world") {
  const auto make = [](Board::Task&) {
    make_directory("/new");
    make_directory("/other");
    tmpfs("/other");
    tmpfs("/new");
    make_directory("/new/old");
    MUST(syscall(SYS_pivot_root, "/new", "/new/old"));
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", "`-- /old #2 fs-2:/", "`-- /old/other #3 fs-3:/",
                "A root #1 / cwd #1 /"});
}

TEST_CASE("observe: names with blanks, newlines, backslashes and more than ASCII") {
  const auto make = [](Board::Task&) {
    for (const char* path : {"/a b", "/\\040", "/t\tn\n", "/\xc3\xa9\xff", "/#\"", "/to"}) {
      make_directory(path);
    }
    bind("/a b", "/\\040");
    bind("/\\040", "/t\tn\n");
    bind("/\xc3\xa9\xff", "/to");
    bind("/t\tn\n", "/#\"");
    MUST(chdir("/#\""));
  };
  expect(make, {"namespace 1: A", "/ #1 fs-1:/", R"(|-- "/#\"" #2 fs-1:"/a b")",
                R"(|-- "/\\040" #3 fs-1:"/a b")", R"(|-- "/t\tn\n" #4 fs-1:"/a b")",
                R"(`-- /to #5 fs-1:"/\xC3\xA9\xFF")", R"(A root #1 / cwd #2 "/#\"")"});
}

TEST_CASE("observe: long paths and hundreds of mounts") {
  const auto make = [](Board::Task&) {
    std::string path;
    for (int i = 0; i < 14; ++i) {
      path += "/" + std::string(250, static_cast<char>('a' + i));
      make_directory(path.c_str());
    }
    make_directory("/b");
    bind(path.c_str(), "/b");
    bind("/b", path.c_str());
    for (int i = 0; i < 300; ++i) {
      const std::string name = "/m" + std::to_string(i);
      make_directory(name.c_str());
      tmpfs(name.c_str());
    }
    MUST(chdir(path.c_str()));
  };
  if (!user_namespaces_allowed()) return;
  const World world(true, make);
  std::vector<Snapshot> seen;
  for (const Source source : sources()) {
    const Observation observation = observed(world, source);
    CHECK(observation.complete);
    CHECK(observation.snapshot.namespaces[0].mounts.size() == 1 + 2 + 300);
    CHECK(observation.snapshot.tasks[0].current_directory.path.size() == 14 * 251);
    seen.push_back(observation.snapshot);
  }
  if (seen.size() == 2) CHECK(differences(seen[0], seen[1]).empty());
}

TEST_CASE("observe: a namespace without mounts") {
  if (!is_root()) return;
  const World world(false, [](Board::Task& task) {
    make_directory("/a");
    open_handle(task, "h", "/a");
    MUST(umount2("/", MNT_DETACH));
  });
  for (const Source source : sources()) {
    CAPTURE(static_cast<int>(source));
    CHECK(joined(draw(observed(world, source).snapshot)) ==
          joined({"namespace 1: A", "(no mounts)", "A root detached #1 / cwd detached #1 /",
                  "@h detached #1 /a"}));
  }
}

// The bind at /b shows /s; /s/d was renamed to /y, and with it the mount point of /b/d/x.
TEST_CASE("observe: a mount without a path has the mount point \"\", mountinfo hides it") {
  expect_hidden(
      [](Board::Task&) {
        for (const char* path : {"/b", "/s", "/s/d", "/s/d/x"}) make_directory(path);
        bind("/s", "/b");
        tmpfs("/b/d/x");
        MUST(rename("/s/d", "/y"));
      },
      {"namespace 1: A", "/ #1 fs-1:/", "`-- /b #2 fs-1:/s", "`-- \"\" #3 fs-2:/",
       "A root #1 / cwd #1 /"});
}

TEST_CASE("observe: an ordinary user sees the worlds of their own user namespaces") {
  if (!user_namespaces_allowed()) return;
  const bool both = sources().size() == 2;
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    static constexpr uid_t nobody = 65534;
    if (geteuid() == 0 &&
        (setresgid(nobody, nobody, nobody) != 0 || setresuid(nobody, nobody, nobody) != 0 ||
         prctl(PR_SET_DUMPABLE, 1) != 0)) {
      _exit(2);
    }
    const World world(true, [](Board::Task&) {
      make_directory("/a");
      tmpfs("/a");
      spawn("B", [](Board::Task&) { MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS)); });
    });
    const Snapshot snapshot = observed(world, Source::mountinfo).snapshot;
    const bool same = !both || observed(world, Source::listmount).snapshot == snapshot;
    _exit(same && snapshot.namespaces.size() == 2 ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("observe: a task that has ended is a harness failure") {
  const Expected<Observer> observer = Observer::make();
  REQUIRE(observer.has_value());
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  const std::vector<LiveTask> tasks{{"A", pid, {}}};
  CHECK_FALSE(observer->observe(tasks, Source::mountinfo).has_value());
  CHECK(observer->has(Source::mountinfo));
}

TEST_CASE("mountinfo: a line with everything") {
  const auto lines = parse_mountinfo(
      "36 35 0:41 /d\\134//deleted /a\\040b rw,nosuid,relatime shared:3 master:1 propagate_from:2 "
      "future:9 - tmpfs  ro,size=4k\n");
  REQUIRE(lines.has_value());
  const MountView& mount = lines->at(0);
  CHECK(mount.id == 36);
  CHECK(mount.parent == 35);
  CHECK(mount.filesystem == filesystem_number(0, 41));
  CHECK(mount.root == "/d\\");
  CHECK(mount.root_removed);
  CHECK(mount.mount_point == "/a b");
  CHECK(mount.flags == MountFlags{MountFlag::nosuid});
  CHECK(mount.filesystem_read_only);
  CHECK(mount.peer_group == 3);
  CHECK(mount.master_group == 1);
  CHECK(mount.receives_from == 2);
}

TEST_CASE("mountinfo: what is malformed is an error with its line") {
  CHECK(parse_mountinfo("")->empty());
  const std::string good = "1 2 0:3 / / rw - tmpfs none rw\n";
  REQUIRE(parse_mountinfo(good).has_value());
  for (const char* bad :
       {"\n", "x\n", "1\n", "1 2 0:3 / / rw - tmpfs none rw", "1 2 03 / / rw - tmpfs none rw\n",
        "1 2 0:3 / a rw - tmpfs none rw\n", "1 2 0:3 /\\9 / rw - tmpfs none rw\n",
        "1 2 0:3 / /\\04 rw - tmpfs none rw\n", "1 2 0:3 / /\\000 rw - tmpfs none rw\n",
        "1 2 0:3 / /\\777 rw - tmpfs none rw\n", "1 2 0:3 / / rx - tmpfs none rw\n",
        "1 2 0:3 / / rw shared:x - tmpfs none rw\n", "1 2 0:3 / / rw shared:1 tmpfs none rw\n",
        "1 2 0:3 / / rw - tmpfs none\n", "1 2 0:3 / / rw - tmpfs none r\n",
        "1 2 0:3 / / rw -  none rw\n", "0 2 0:3 / / rw - tmpfs none rw\n",
        "1 2 0:99999999999 / / rw - tmpfs none rw\n", "-1 2 0:3 / / rw - tmpfs none rw\n",
        "1 2 0:3 //deleted / rw - tmpfs none rw\n",
        "99999999999999999999 2 0:3 / / rw - t n rw\n"}) {
    CAPTURE(bad);
    const auto lines = parse_mountinfo(good + bad);
    REQUIRE_FALSE(lines.has_value());
    CHECK(lines.error().line == 2);
    CHECK_FALSE(lines.error().reason.empty());
  }
}

TEST_CASE("mountinfo: any bytes are read or refused") {
  std::mt19937 random(1);
  const std::string good =
      "36 35 0:41 /d\\134//deleted /a\\040b rw,nosuid shared:3 master:1 unbindable - tmpfs x ro\n";
  std::size_t read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = good + good;
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0) text[at] = " \n\\0/:-,"[random() % 8];
      else if (random() % 2 == 0) text[at] = static_cast<char>(random());
      else text.erase(at, random() % 9);
      if (text.empty()) break;
    }
    read += parse_mountinfo(text).has_value();
  }
  CHECK(read > 50'000);
}

}  // namespace
}  // namespace pivotcheck

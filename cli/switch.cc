// SPDX-License-Identifier: Apache-2.0
// switch.cc: `pivotcheck switch`: runs a command in a new root. The library does the work
// (switch/root_switch.h); this file has the command line, the signals and the exit status.
//
// It reads its options with getopt_long, not with the parser of the other subcommands: `switch` is
// started often, in front of other programs, and that parser takes longer to set up than a switch
// of root. main.cc lists the subcommand there.
#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "switch/root_switch.h"

extern char** environ;  // NOLINT: POSIX wants it declared by whoever uses it

namespace pivotcheck::cli {
namespace {

constexpr int bad_usage = 2;
constexpr int refused = 125;  // as env(1) and timeout(1): few commands end with that
constexpr int not_executable = 126;
constexpr int not_found = 127;
constexpr int by_signal = 128;

constexpr const char* usage_text =
    R"(Usage: pivotcheck switch [OPTION]... ROOT -- COMMAND [ARGUMENT]...
Run a command in a new root, in namespaces of its own.

  --strategy S            the way to switch (see pivotcheck strategies); default: dot-dot
  --confine               what people expect of a sandbox: --unshare all (ids: this user's own, or
                          65534 for root, unless --map says otherwise; this machine's id 0 never),
                          --drop all, --no-new-privs, --new-session, ROOT nosuid and nodev, no user
                          namespaces inside, no keys, AF_VSOCK, TIOCSTI, CLONE_PARENT, no calls of
                          other architectures. What would open any of that is refused, and so is a
                          switch for which any of it can't be had. (An ordinary user's groups stay.)
  --bind SRC:DST[:WORD]   mount this machine's directory or file SRC, with everything mounted below
                          it, at DST in the new root. WORD, or several: ro, read-only at all depths;
                          suid, dev: set-user-ID programs or devices work there, which they don't
                          otherwise. A colon in a path is written \:, a backslash \\
  --tmpfs DST             mount an empty tmpfs
  --proc DST              mount a new /proc; in a user namespace this needs --unshare pid. (As root,
                          without --unshare pid, it shows this machine's processes, and so the way
                          to their roots and programs.) What in it is the whole machine's is
                          hidden (kcore, keys, timer_list ...) or read-only (sys, irq, bus, fs,
                          sysrq-trigger)
  --open-proc DST         the same, with nothing hidden and nothing read-only
  --dev DST               mount a tmpfs with null, zero, full, random, urandom, tty, fd, stdin, stdout
                          and stderr, shm, terminals of its own (pts, ptmx) and, if stdin is a
                          terminal, that as console
  --dir DST               make a directory in a tmpfs of --tmpfs or --dev
  --symlink TEXT:DST      make a symbolic link that says TEXT, likewise
  --read-only             make the new root read-only, with what is mounted below it, but not the
                          mounts of the options above
  --no-lock               leave the mounts of the options above, and --read-only, to a command with
                          CAP_SYS_ADMIN: it can unmount them and make them writable. Otherwise they
                          are locked, if a user namespace can be made (and a message says if not).
                          (As root without a user namespace a command with CAP_SYS_ADMIN can still
                          mount a disk once more, or another /proc.)
  --slave                 mounts that the machine makes below ROOT later appear inside
  --unshare LIST          make new namespaces: user,pid,mnt,ipc,uts,net,cgroup, or all of them. pid:
                          with an init that reaps, as confined as the command. (As root without a
                          user namespace a command that keeps CAP_SYS_PTRACE can trace that init,
                          but gains nothing by it.) mnt: only chroot needs this, the others always
                          make one; user: needs --map
  --map MAP               map ids into the user namespace; may be repeated. root: this user is root
                          inside; self: this user keeps its ids; auto: root, and the ranges that
                          /etc/subuid and /etc/subgid give this user; or
                          [uid:|gid:]INSIDE:OUTSIDE[:COUNT]
  --drop LIST             take capabilities from the command: sys_admin,net_raw, or all
  --no-new-privs          the command can't gain privileges by executing a program
  --seccomp FD            read a seccomp filter (struct sock_filter, as libseccomp exports it) from
                          descriptor FD; implies --no-new-privs. All of several are loaded, in
                          order. The init of a PID namespace has them too, and needs ppoll, write,
                          close and exit_group
  --keep-fd FD            pass descriptor FD on to the command; all others but 0, 1, 2 are closed
  --setenv NAME VALUE     set a variable of the command's environment (two words)
  --unsetenv NAME         remove one
  --clearenv              remove all of them; these three options work in their order
  --chdir DIR             start the command in this directory of the new root; default: /
  --hostname NAME         with --unshare uts: the host name there
  --new-session           start the command in a session of its own, without a terminal. Otherwise
                          it can type into the terminal that it was started from (ioctl TIOCSTI),
                          and the shell there executes that after it has ended
  --help                  print this text

Mounts, directories and links are made in the order of their options. DST must exist in ROOT, unless
it is in a tmpfs of --tmpfs or --dev before it, or at the top of tmpfs-sandbox, which is one: there
it is made if it is missing. --dir and --symlink work only there: nothing is made in ROOT itself.
Without --confine this is no sandbox: the command keeps every right that no option takes away.
Exit status: the command's; 128+N if signal N killed it; 126 if it can't be executed, 127 if it does
not exist; 125 if the switch was refused, 2 for bad usage: then the command was never
started.
)";

int complain(int status, std::string_view text) {
  std::fprintf(stderr, "pivotcheck switch: %.*s\n", static_cast<int>(text.size()), text.data());
  return status;
}

// What the command line says. A Complaint says what is wrong with it.
struct Wanted {
  SwitchOptions options;
  Command command;
  std::string second;  // the second word of an option that takes two
  bool help = false;
};
using Complaint = std::optional<std::string>;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

Complaint read_strategy(std::string_view text, Wanted& wanted) {
  if (const auto found = find_strategy(text)) {
    wanted.options.strategy = *found;
    return {};
  }
  std::string names;
  for (const StrategyInfo& each : strategies()) names.append(" ").append(each.name);
  return "unknown strategy: " + std::string(text) + "; there are" + names;
}

// As split() at colons, but "\:" is a colon in a path, and "\\" a backslash.
std::vector<std::string> split_paths(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escapes = text[i] == '\\' && i + 1 < text.size() &&
                         (text[i + 1] == ':' || text[i + 1] == '\\');
    if (text[i] == ':') parts.emplace_back();
    else parts.back() += text[escapes ? ++i : i];
  }
  return parts;
}

Complaint read_bind(std::string_view text, Wanted& wanted) {
  const std::vector<std::string> parts = split_paths(text);
  bool whole = parts.size() >= 2 && !parts[0].empty() && !parts[1].empty();
  BindAt bind{.source = parts[0], .target = whole ? parts[1] : ""};
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (parts[i] == "ro") bind.read_only = true;
    else if (parts[i] == "suid") bind.suid = true;
    else if (parts[i] == "dev") bind.dev = true;
    else whole = false;
  }
  if (!whole) {
    return "--bind takes SRC:DST, then :ro, :suid, :dev, not " + std::string(text) +
           "; a colon in a path is \\:";
  }
  wanted.options.mounts.emplace_back(std::move(bind));
  return {};
}

struct NamespaceRow {
  std::string_view name;
  bool SwitchOptions::*flag;
};
constexpr NamespaceRow namespace_rows[] = {
    {"user", &SwitchOptions::user_namespace}, {"pid", &SwitchOptions::pid_namespace},
    {"mnt", &SwitchOptions::mount_namespace}, {"ipc", &SwitchOptions::ipc_namespace},
    {"uts", &SwitchOptions::uts_namespace},   {"net", &SwitchOptions::net_namespace},
    {"cgroup", &SwitchOptions::cgroup_namespace},
};

Complaint read_unshare(std::string_view text, Wanted& wanted) {
  for (const std::string& word : split(text, ',')) {
    bool known = false;
    for (const NamespaceRow& row : namespace_rows) {
      if (word != row.name && word != "all") continue;
      wanted.options.*row.flag = true;
      known = true;
    }
    if (!known) {
      return "--unshare takes user,pid,mnt,ipc,uts,net,cgroup or all, not " + std::string(text);
    }
  }
  return {};
}

// This user's name in /etc/passwd, "" if there is none. Not by getlogin(3) or getpwuid(3): a static
// program would load libraries for them (nsswitch.conf(5)).
std::string name_of_user(const std::string& number) {
  std::ifstream lines("/etc/passwd");
  for (std::string text; std::getline(lines, text);) {
    const std::vector<std::string> parts = split(text, ':');
    if (parts.size() > 2 && parts[2] == number) return parts[0];
  }
  return "";
}

// The ranges that a file of subordinate ids gives this user, by name or by number.
Complaint add_subordinates(const char* file, std::vector<IdRange>& map) {
  const std::string number = std::to_string(::getuid());
  const std::string known_as = name_of_user(number);
  const char* name = std::getenv("USER");
  std::ifstream lines(file);
  std::uint32_t inside = 1;
  for (std::string text; std::getline(lines, text);) {
    const std::vector<std::string> parts = split(text, ':');
    IdRange range{.inside = inside, .outside = 0, .count = 0};
    const bool own = parts[0] == number || (name != nullptr && parts[0] == name) ||
                     (!known_as.empty() && parts[0] == known_as);
    if (parts.size() != 3 || !own || !read_number(parts[1], range.outside) ||
        !read_number(parts[2], range.count)) {
      continue;
    }
    inside += range.count;
    map.push_back(range);
  }
  if (inside == 1) return std::string("--map auto: ") + file + " has no range for this user";
  return {};
}

Complaint read_range(std::string_view text, Wanted& wanted) {
  std::string_view rest = text;
  const bool uid_only = rest.starts_with("uid:");
  const bool gid_only = rest.starts_with("gid:");
  if (uid_only || gid_only) rest.remove_prefix(4);
  const std::vector<std::string> parts = split(rest, ':');
  IdRange range;
  if (parts.size() < 2 || parts.size() > 3 || !read_number(parts[0], range.inside) ||
      !read_number(parts[1], range.outside) ||
      (parts.size() == 3 && !read_number(parts[2], range.count))) {
    return "--map takes root, self, auto or [uid:|gid:]INSIDE:OUTSIDE[:COUNT], not " +
           std::string(text);
  }
  if (!gid_only) wanted.options.uid_map.push_back(range);
  if (!uid_only) wanted.options.gid_map.push_back(range);
  return {};
}

Complaint read_map(std::string_view text, Wanted& wanted) {
  const std::uint32_t uid = ::geteuid();
  const std::uint32_t gid = ::getegid();
  if (text == "self") {
    wanted.options.uid_map.push_back({uid, uid, 1});
    wanted.options.gid_map.push_back({gid, gid, 1});
    return {};
  }
  if (text != "root" && text != "auto") return read_range(text, wanted);
  wanted.options.uid_map.push_back({0, uid, 1});
  wanted.options.gid_map.push_back({0, gid, 1});
  if (text == "root") return {};
  if (auto complaint = add_subordinates("/etc/subuid", wanted.options.uid_map)) return complaint;
  return add_subordinates("/etc/subgid", wanted.options.gid_map);
}

Complaint read_drop(std::string_view text, Wanted& wanted) {
  for (const std::string& word : split(text, ',')) {
    const auto bits = capability_bits(word);
    if (!bits) return "--drop: there is no capability " + word;
    wanted.options.dropped_capabilities |= *bits;
  }
  return {};
}

Complaint read_descriptor(std::string_view option, std::string_view text, int& fd) {
  if (read_number(text, fd) && fd >= 0) return {};
  return std::string(option) + " takes the number of a descriptor, not " + std::string(text);
}

Complaint read_seccomp(std::string_view text, Wanted& wanted) {
  constexpr std::size_t bytes_max = 4096 * sizeof(std::uint64_t);
  int fd = -1;
  if (auto complaint = read_descriptor("--seccomp", text, fd)) return complaint;
  std::vector<char> bytes(bytes_max + 1);
  std::size_t size = 0;
  ssize_t more = 0;
  while (size < bytes.size() && (more = ::read(fd, &bytes[size], bytes.size() - size)) > 0) {
    size += static_cast<std::size_t>(more);
  }
  if (more < 0) return "--seccomp " + std::string(text) + ": " + std::strerror(errno);
  if (size == 0 || size > bytes_max || size % sizeof(std::uint64_t) != 0) {
    return "--seccomp " + std::string(text) + ": no filter program (1 to 4096 times 8 bytes)";
  }
  auto& program = wanted.options.seccomp_programs.emplace_back(size / sizeof(std::uint64_t));
  std::memcpy(program.data(), bytes.data(), size);
  wanted.options.no_new_privileges = true;
  return {};
}

Complaint read_keep(std::string_view text, Wanted& wanted) {
  int fd = -1;
  if (auto complaint = read_descriptor("--keep-fd", text, fd)) return complaint;
  wanted.options.keep_descriptors.push_back(fd);
  return {};
}

template <std::string SwitchOptions::*text>
Complaint set_text(std::string_view value, Wanted& wanted) {
  wanted.options.*text = value;
  return {};
}

// --- the command's environment -------------------------------------------------------------------

std::vector<std::string>& environment_of(Wanted& wanted) {
  auto& variables = wanted.command.environment;
  if (!variables) {
    variables.emplace();
    for (char** each = environ; *each != nullptr; ++each) variables->emplace_back(*each);
  }
  return *variables;
}

Complaint read_unsetenv(std::string_view name, Wanted& wanted) {
  if (name.empty() || name.find('=') != name.npos) {
    return "no variable has the name '" + std::string(name) + "': --setenv takes NAME VALUE";
  }
  std::erase_if(environment_of(wanted), [name](std::string_view variable) {
    return variable.starts_with(name) && variable.substr(name.size()).starts_with('=');
  });
  return {};
}

Complaint read_setenv(std::string_view name, Wanted& wanted) {
  if (auto complaint = read_unsetenv(name, wanted)) return complaint;
  environment_of(wanted).push_back(std::string(name) + "=" + wanted.second);
  return {};
}

Complaint read_clearenv(std::string_view, Wanted& wanted) {
  wanted.command.environment.emplace();
  return {};
}

// -------------------------------------------------------------------------------------------------

Complaint read_symlink(std::string_view text, Wanted& wanted) {
  const std::vector<std::string> parts = split_paths(text);
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
    return "--symlink takes TEXT:DST, not " + std::string(text) + "; a colon in a path is \\:";
  }
  wanted.options.mounts.emplace_back(SymlinkAt{.text = parts[0], .target = parts[1]});
  return {};
}

template <class Mount>
Complaint add_mount(std::string_view target, Wanted& wanted) {
  wanted.options.mounts.emplace_back(Mount{std::string(target)});
  return {};
}

Complaint add_open_proc(std::string_view target, Wanted& wanted) {
  wanted.options.mounts.emplace_back(ProcAt{.target = std::string(target), .open = true});
  return {};
}

template <bool SwitchOptions::*flag>
Complaint set_flag(std::string_view, Wanted& wanted) {
  wanted.options.*flag = true;
  return {};
}

Complaint clear_lock(std::string_view, Wanted& wanted) {
  wanted.options.lock_mounts = false;
  return {};
}

struct OptionRow {
  const char* name;
  int words;  // that follow it
  Complaint (*read)(std::string_view first, Wanted& wanted);
  bool once = false;  // the last one would silently replace the others
};

constexpr OptionRow option_rows[] = {
    {"strategy", 1, read_strategy, true},
    {"confine", 0, set_flag<&SwitchOptions::confine>},
    {"bind", 1, read_bind},
    {"tmpfs", 1, add_mount<TmpfsAt>},
    {"proc", 1, add_mount<ProcAt>},
    {"open-proc", 1, add_open_proc},
    {"dev", 1, add_mount<DevAt>},
    {"dir", 1, add_mount<DirectoryAt>},
    {"symlink", 1, read_symlink},
    {"read-only", 0, set_flag<&SwitchOptions::read_only>},
    {"no-lock", 0, clear_lock},
    {"slave", 0, set_flag<&SwitchOptions::slave_mounts>},
    {"unshare", 1, read_unshare},
    {"map", 1, read_map},
    {"drop", 1, read_drop},
    {"no-new-privs", 0, set_flag<&SwitchOptions::no_new_privileges>},
    {"seccomp", 1, read_seccomp},
    {"keep-fd", 1, read_keep},
    {"setenv", 2, read_setenv},
    {"unsetenv", 1, read_unsetenv},
    {"clearenv", 0, read_clearenv},
    {"chdir", 1, set_text<&SwitchOptions::directory>, true},
    {"hostname", 1, set_text<&SwitchOptions::hostname>, true},
    {"new-session", 0, set_flag<&SwitchOptions::new_session>},
};

// The words before "--": options and ROOT.
Complaint read_options(int count, char** words, Wanted& wanted) {
  constexpr int first_row = 256;  // after all characters
  std::vector<option> table;
  for (const OptionRow& row : option_rows) {
    table.push_back({row.name, row.words == 0 ? no_argument : required_argument, nullptr,
                     first_row + static_cast<int>(table.size())});
  }
  table.push_back({"help", no_argument, nullptr, 'h'});
  table.push_back({});
  std::array<bool, std::size(option_rows)> seen{};
  ::opterr = 0;
  ::optind = 0;  // GNU: start anew, even if it was used before
  for (;;) {
    const int which = ::getopt_long(count, words, ":h", table.data(), nullptr);
    if (which < 0) break;
    const std::string word = words[std::max(::optind - 1, 0)];
    wanted.help = which == 'h';
    if (wanted.help) return {};
    if (which == ':') return word + " needs a value";
    if (which == '?') return "unknown option: " + word;
    const std::string_view value = ::optarg == nullptr ? "" : ::optarg;
    const auto index = static_cast<std::size_t>(which - first_row);
    const OptionRow& row = option_rows[index];
    if (row.once && seen[index]) return std::string("--") + row.name + " is given twice";
    seen[index] = true;
    if (row.words == 2) {
      if (::optind >= count) return std::string("--") + row.name + " takes two words";
      wanted.second = words[::optind++];
    }
    if (auto complaint = row.read(value, wanted)) return complaint;
  }
  if (::optind >= count) return "no ROOT";
  if (::optind + 1 < count) {
    return std::string("unexpected word ") + words[::optind + 1] + ": the command follows --";
  }
  wanted.options.new_root = words[::optind];
  return {};
}

Complaint read_line(int argc, char** argv, Wanted& wanted) {
  const auto dashes = std::find_if(argv + 1, argv + argc,
                                   [](const char* word) { return std::strcmp(word, "--") == 0; });
  const auto before = static_cast<int>(dashes - argv);
  if (auto complaint = read_options(before, argv, wanted)) return complaint;
  if (wanted.help) return {};
  if (before + 1 >= argc) return "no COMMAND: it follows --";
  wanted.command.arguments.assign(dashes + 1, argv + argc);
  return {};
}

// Signals sent to this process are meant for the command.
sigset_t forwarded() {
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD}) {
    ::sigaddset(&set, number);
  }
  return set;
}

int wait_for(SwitchedChild& child, const sigset_t& signals, bool new_session) {
  // A helper of the switch may have left one, which would look like a stranger's end.
  const timespec no_time{};
  sigset_t end_of_child{};
  ::sigaddset(&end_of_child, SIGCHLD);
  ::sigtimedwait(&end_of_child, nullptr, &no_time);
  for (;;) {
    const auto ended = child.try_wait();
    if (!ended) return complain(refused, ended.error().message);
    if (*ended) return (*ended)->by_signal ? by_signal + (*ended)->code : (*ended)->code;
    siginfo_t info{};
    const int number = ::sigwaitinfo(&signals, &info);
    // A terminal's signals reach the command by themselves: it is in the same process group, unless
    // it has a session of its own.
    const bool meant = info.si_code <= 0 || new_session;
    if (number > 0 && number != SIGCHLD && meant) child.signal(number);
  }
}

int status_of(const SwitchFailure& failure) {
  switch (failure.kind) {
    case SwitchFailure::Kind::bad_options: return bad_usage;
    case SwitchFailure::Kind::refused: return refused;
    case SwitchFailure::Kind::not_executable: return not_executable;
    case SwitchFailure::Kind::not_found: return not_found;
  }
  return refused;
}

int complain(const SwitchFailure& failure) { return complain(status_of(failure), failure.message); }

}  // namespace

std::string_view switch_usage() { return usage_text; }

int run_switch(int argc, char** argv) {
  Wanted wanted;
  if (const auto complaint = read_line(argc, argv, wanted)) {
    return complain(bad_usage, *complaint + " (see pivotcheck switch --help)");
  }
  if (wanted.help) return std::fputs(usage_text, stdout) < 0 ? bad_usage : 0;
  // The wait below needs SIGCHLD, which the caller may ignore.
  ::signal(SIGCHLD, SIG_DFL);
  const sigset_t signals = forwarded();
  sigset_t before{};
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  wanted.command.signal_mask = before;
  const bool new_session = wanted.options.new_session || wanted.options.confine;
  auto root = RootSwitch::make(std::move(wanted.options));
  if (!root) return complain(root.error());
  auto child = root->start(wanted.command);
  if (!child) return complain(child.error());
  if (child->not_locked() != 0) {
    complain(0, std::string("the mounts are not locked, which takes a user namespace and /proc: ") +
                    std::strerror(child->not_locked()) +
                    "; a command with CAP_SYS_ADMIN can unmount them and make them writable");
  }
  return wait_for(*child, signals, new_session);
}

#ifdef PIVOTCHECK_STATIC
namespace {

// Runs before main and exits without it: main's static objects (the option parser's validators, the
// streams) take half as long to construct as a program that does nothing takes to run. None of them
// is needed here: core constructs nothing before main (command.static_objects_test checks that),
// and the C++ library works in any order of construction.
void begin_switch(int argc, char** argv, char** /*environment*/) {
  if (argc < 2 || std::string_view(argv[1]) != "switch") return;
  const int status = run_switch(argc - 1, argv + 1);
  std::_Exit(std::fflush(stdout) == 0 ? status : bad_usage);
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const at_the_start)(int, char**, char**) =
    &begin_switch;

}  // namespace
#endif

}  // namespace pivotcheck::cli

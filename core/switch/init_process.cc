// SPDX-License-Identifier: Apache-2.0
// init_process.cc: see init_process.h.
#include "switch/init_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <cstring>
#include <string>
#include <string_view>

#include "switch/clone.h"
#include "syscalls/namespaces.h"
#include "syscalls/syscalls.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

// The program, as CMake built it.
__asm__(
    ".section .rodata\n"
    ".global pivotcheck_init_begin\n"
    ".global pivotcheck_init_end\n"
    "pivotcheck_init_begin:\n"
    ".incbin \"" PIVOTCHECK_INIT_FILE "\"\n"
    "pivotcheck_init_end:\n"
    ".previous\n");
extern "C" {
extern const char pivotcheck_init_begin[];
extern const char pivotcheck_init_end[];
}

namespace pivotcheck::rootswitch {
namespace {

template <class Message>
bool say(int channel, const Message& message) {
  return ::send(channel, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message);
}

// The answer that is expected, or why it does not come. `speaker`: a pidfd of the process that is to
// answer, if its end alone does not close the channel.
std::expected<int, InitRefusal> hear(int channel, int kind, int speaker = -1) {
  std::array<pollfd, 2> events{{{channel, POLLIN, 0}, {speaker, POLLIN, 0}}};
  while (speaker >= 0 && ::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) continue;
  if (events[0].revents == 0 && events[1].revents != 0) return std::unexpected(InitRefusal{});
  init_answer answer{};
  ssize_t size = 0;
  do {
    size = ::recv(channel, &answer, sizeof(answer), 0);
  } while (size < 0 && errno == EINTR);
  if (size == sizeof(answer) && answer.kind == kind) return answer.value;
  if (size == sizeof(answer) && answer.kind == INIT_REFUSED) {
    return std::unexpected(InitRefusal{answer.what, answer.value});
  }
  return std::unexpected(InitRefusal{});
}

struct Execution {
  int image;
  int channel;
  int user_namespace;
  int error = 0;  // of the execution, in the caller's memory
};

void execute_init(void* argument) {
  auto& self = *static_cast<Execution*>(argument);
  // The caller may have nothing open at 0, 1 and 2, and so any of these there.
  const int channel = ::fcntl(self.channel, F_DUPFD_CLOEXEC, 3);
  const int user_namespace = ::fcntl(self.user_namespace, F_DUPFD_CLOEXEC, 3);
  const int image = ::fcntl(self.image, F_DUPFD_CLOEXEC, 3);
  ::dup2(channel, INIT_CHANNEL);
  if (user_namespace >= 0) ::dup2(user_namespace, INIT_USER_NAMESPACE);
  if (::syscall(SYS_close_range, INIT_USER_NAMESPACE + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    self.error = errno;
    kernel::sys_exit(1);
  }
  std::array<char, sizeof(INIT_NAME)> name{INIT_NAME};
  const std::array<char*, 2> arguments{name.data(), nullptr};
  const std::array<char*, 1> environment{nullptr};
  ::syscall(SYS_execveat, image, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
  self.error = errno;
  kernel::sys_exit(1);
}

bool give_orders(int channel, const InitRequest& request) {
  if (!say(channel, request.orders)) return false;
  return std::ranges::all_of(request.programs, [channel](const auto& program) {
    const std::size_t size = program.size() * sizeof(program.front());
    return ::send(channel, program.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
  });
}

std::unexpected<InitRefusal> no_namespaces(int error) {
  return std::unexpected(InitRefusal{INIT_NAMESPACES, error});
}

}  // namespace

std::expected<UniqueFd, int> make_init_image() {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd image(::memfd_create(INIT_NAME, flags | MFD_EXEC));
  if (!image && errno == EINVAL) image.reset(::memfd_create(INIT_NAME, flags));
  if (!image) return std::unexpected(errno);
  const std::string_view program(pivotcheck_init_begin, pivotcheck_init_end);
  constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::write(image.get(), program.data(), program.size()) !=
          static_cast<ssize_t>(program.size()) ||
      ::fcntl(image.get(), F_ADD_SEALS, seals) != 0) {
    return std::unexpected(errno);
  }
  return image;
}

ino_t pid_namespace_of(pid_t process, const UniqueFd& pidfd) {
  struct stat status {};
  if (pidfd) {
    const UniqueFd its(kernel::namespace_by_pidfd(pidfd.get(), kernel::pid_namespace));
    if (its && ::fstat(its.get(), &status) == 0) return status.st_ino;
  }
  const std::string file = "/proc/" + std::to_string(process) + "/ns/pid";
  return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::expected<InitProcess, InitRefusal> start_init(InitRequest request) {
  request.orders.enters_user_namespace = request.user_namespace >= 0 ? 1 : 0;
  request.orders.filters = static_cast<std::uint32_t>(request.programs.size());
  std::ranges::transform(request.programs, std::begin(request.orders.instructions),
                         [](const auto& program) { return program.size(); });
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return no_namespaces(errno);
  }
  InitProcess init{.pid = -1, .pid_namespace = 0, .pidfd = {}, .channel = UniqueFd(ends[0])};
  UniqueFd its(ends[1]);
  Execution execution{request.image, its.get(), request.user_namespace};
  // With a user namespace, the program must be executed before that is made or entered (init.c).
  const unsigned long at_once = request.orders.takes_ids != 0 ? 0 : request.orders.unshare;
  if (at_once != 0) request.orders.unshare = 0;
  init.pid = clone_in_our_memory({&execute_init, &execution}, init.pidfd, at_once);
  if (init.pid < 0) return no_namespaces(errno);
  its.reset();
  const bool ordered = execution.error == 0 && give_orders(init.channel.get(), request);
  if (ordered && at_once != 0) {
    init.pid_namespace = pid_namespace_of(init.pid, init.pidfd);
    return init;
  }
  const auto made = ordered ? hear(init.channel.get(), INIT_MADE, init.pidfd.get())
                            : std::unexpected(InitRefusal{INIT_NAMESPACES, execution.error});
  wait_for_end(init.pid, 0);
  if (!made) return std::unexpected(made.error());
  init.pid = *made;
  init.pidfd.reset(kernel::sys_pidfd_open(init.pid));
  init.pid_namespace = pid_namespace_of(init.pid, init.pidfd);
  return init;
}

std::expected<void, InitRefusal> release_init(const InitProcess& init) {
  say(init.channel.get(), 'g');
  const auto up = hear(init.channel.get(), INIT_UP);
  if (!up) return std::unexpected(up.error());
  return {};
}

std::expected<void, InitRefusal> bring_init_here(int channel) {
  const auto own_pid = static_cast<int>(::syscall(SYS_getpid));
  const auto root = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/", O_PATH | O_CLOEXEC));
  if (root < 0) return std::unexpected(InitRefusal{INIT_JOIN, errno});
  init_join join{own_pid};
  iovec text{&join, sizeof(join)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = rights.data();
  message.msg_controllen = rights.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &root, sizeof(root));
  const bool sent = ::sendmsg(channel, &message, MSG_NOSIGNAL) == sizeof(join);
  ::close(root);
  if (!sent) return std::unexpected(InitRefusal{INIT_JOIN, errno});
  const auto confined = hear(channel, INIT_CONFINED);
  if (!confined) return std::unexpected(confined.error());
  return {};
}

}  // namespace pivotcheck::rootswitch

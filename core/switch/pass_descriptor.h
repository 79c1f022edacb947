// SPDX-License-Identifier: Apache-2.0
// pass_descriptor.h: a number and a descriptor over a SOCK_SEQPACKET socket (SCM_RIGHTS, unix(7)).
// Allocates nothing: children call it before exec.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/unique_fd.h"

namespace pivotcheck::rootswitch {

struct DescriptorMessage {
  std::int32_t number = 0;
  iovec text{&number, sizeof(number)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
  msghdr header{};

  DescriptorMessage() {
    header.msg_iov = &text;
    header.msg_iovlen = 1;
    header.msg_control = rights.data();
    header.msg_controllen = rights.size();
  }
  DescriptorMessage(const DescriptorMessage&) = delete;
  DescriptorMessage& operator=(const DescriptorMessage&) = delete;
};

// False and errno if it can't be sent. `fd` < 0: the number alone.
inline bool send_with_descriptor(int socket, std::int32_t number, int fd) {
  DescriptorMessage message;
  message.number = number;
  if (fd < 0) {
    message.header.msg_controllen = 0;
  } else {
    cmsghdr* const first = CMSG_FIRSTHDR(&message.header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(first), &fd, sizeof(fd));
  }
  return ::sendmsg(socket, &message.header, MSG_NOSIGNAL) == sizeof(message.number);
}

// Nothing at the end of file. `fd` stays empty if no descriptor came.
inline std::optional<std::int32_t> receive_with_descriptor(int socket, UniqueFd& fd) {
  DescriptorMessage message;
  if (::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) != sizeof(message.number)) return {};
  const cmsghdr* const first = CMSG_FIRSTHDR(&message.header);
  if (first != nullptr && first->cmsg_type == SCM_RIGHTS) {
    int received = -1;
    std::memcpy(&received, CMSG_DATA(first), sizeof(received));
    fd.reset(received);
  }
  return message.number;
}

}  // namespace pivotcheck::rootswitch

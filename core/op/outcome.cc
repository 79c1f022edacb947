// SPDX-License-Identifier: Apache-2.0
// outcome.cc: the names of Linux's errnos, both ways. A table of our own and not strerrorname_np():
// the way back is needed too, and C libraries differ in which names they know.
//
// Three numbers have a second name (EWOULDBLOCK, EDEADLOCK, ENOTSUP): it is understood, and the
// name that stands in the table is what is printed.
//
// Source: <asm-generic/errno-base.h>, <asm-generic/errno.h>; errno(3).
#include "op/outcome.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

namespace pivotcheck {
namespace {

struct NamedErrno {
  std::string_view name;
  int number;
};

#define E(name) \
  NamedErrno { #name, name }
// clang-format off
constexpr NamedErrno named_errnos[] = {
    E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF),
    E(ECHILD), E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST),
    E(EXDEV), E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY),
    E(ETXTBSY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE),
    E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK), E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(ENOMSG),
    E(EIDRM), E(ECHRNG), E(EL2NSYNC), E(EL3HLT), E(EL3RST), E(ELNRNG), E(EUNATCH), E(ENOCSI),
    E(EL2HLT), E(EBADE), E(EBADR), E(EXFULL), E(ENOANO), E(EBADRQC), E(EBADSLT), E(EBFONT),
    E(ENOSTR), E(ENODATA), E(ETIME), E(ENOSR), E(ENONET), E(ENOPKG), E(EREMOTE), E(ENOLINK),
    E(EADV), E(ESRMNT), E(ECOMM), E(EPROTO), E(EMULTIHOP), E(EDOTDOT), E(EBADMSG), E(EOVERFLOW),
    E(ENOTUNIQ), E(EBADFD), E(EREMCHG), E(ELIBACC), E(ELIBBAD), E(ELIBSCN), E(ELIBMAX),
    E(ELIBEXEC), E(EILSEQ), E(ERESTART), E(ESTRPIPE), E(EUSERS), E(ENOTSOCK), E(EDESTADDRREQ),
    E(EMSGSIZE), E(EPROTOTYPE), E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(ESOCKTNOSUPPORT),
    E(EOPNOTSUPP), E(EPFNOSUPPORT), E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETDOWN),
    E(ENETUNREACH), E(ENETRESET), E(ECONNABORTED), E(ECONNRESET), E(ENOBUFS), E(EISCONN),
    E(ENOTCONN), E(ESHUTDOWN), E(ETOOMANYREFS), E(ETIMEDOUT), E(ECONNREFUSED), E(EHOSTDOWN),
    E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS), E(ESTALE), E(EUCLEAN), E(ENOTNAM), E(ENAVAIL),
    E(EISNAM), E(EREMOTEIO), E(EDQUOT), E(ENOMEDIUM), E(EMEDIUMTYPE), E(ECANCELED), E(ENOKEY),
    E(EKEYEXPIRED), E(EKEYREVOKED), E(EKEYREJECTED), E(EOWNERDEAD), E(ENOTRECOVERABLE),
    E(ERFKILL), E(EHWPOISON),
};
constexpr NamedErrno second_names[] = {
    E(EWOULDBLOCK), E(EDEADLOCK), E(ENOTSUP),
};
// clang-format on
#undef E

// "" at a number that has no name.
constexpr auto names_by_number = [] {
  constexpr auto highest = std::ranges::max(named_errnos, {}, &NamedErrno::number).number;
  std::array<std::string_view, static_cast<std::size_t>(highest) + 1> names{};
  for (const NamedErrno& each : named_errnos)
    names[static_cast<std::size_t>(each.number)] = each.name;
  return names;
}();

}  // namespace

std::string errno_name(int error) {
  const auto index = static_cast<std::size_t>(error);  // a negative number becomes a huge one
  if (index < names_by_number.size() && !names_by_number[index].empty()) {
    return std::string(names_by_number[index]);
  }
  return "errno " + std::to_string(error);
}

std::optional<int> errno_number(std::string_view name) {
  for (const NamedErrno& each : named_errnos) {
    if (each.name == name) return each.number;
  }
  for (const NamedErrno& each : second_names) {
    if (each.name == name) return each.number;
  }
  return std::nullopt;
}

std::string to_string(Outcome outcome) { return outcome.ok() ? "ok" : errno_name(outcome.error); }

}  // namespace pivotcheck

# SPDX-License-Identifier: Apache-2.0
# filters.sh: seccomp filters as bytes, for the tests. To be sourced.

number() { printf '#include <sys/syscall.h>\n%s\n' "$1" | "${CXX:-c++}" -E -x c - | tail -n 1; }

# filter CALL [ACTION]: the call is EPERM (or what ACTION says, four octal bytes), all others are let
# through.
filter() {
  local call
  call=$(number "SYS_$1")
  printf '\x20\0\0\0\0\0\0\0\x15\0\0\x01'
  # shellcheck disable=SC2059 # it is octal
  printf "\\$(printf %o $((call & 255)))\\$(printf %o $((call >> 8)))\0\0"
  # shellcheck disable=SC2059
  printf "\x06\0\0\0${2:-\x01\0\x05\0}\x06\0\0\0\0\0\xff\x7f"
}
filter_kill='\0\0\0\x80'  # SECCOMP_RET_KILL_PROCESS

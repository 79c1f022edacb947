// SPDX-License-Identifier: Apache-2.0
// pasted_test.cc: mountinfo as people paste it into reports: each text is read as the same mounts,
// or refused with a line that says why.
#include <array>
#include <string>
#include <string_view>

#include "examples.h"
#include "explain/pasted.h"

namespace pivotcheck::explain {
namespace {

constexpr std::string_view first =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro";
constexpr std::string_view second = "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k";

// The lines as they were found, or the error.
std::string found_in(std::string_view text) {
  const auto lines = find_mountinfo(text);
  if (!lines) return lines.error();
  std::string all;
  for (const PastedLine& line : *lines) all += line.text + "\n";
  return all;
}

struct Form {
  std::string_view what;
  std::string_view text;
};

TEST_CASE("a text is read as people paste it") {
  const std::string wanted = std::string(first) + "\n" + std::string(second) + "\n";
  static constexpr std::array<Form, 20> forms{{
      {"as it is",
       "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n"},
      {"without an end",
       "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k"},
      {"a byte order mark and carriage returns",
       "\xef\xbb\xbf"
       "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\r\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\r\n"},
      {"a fence",
       "```\n22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n```\n"},
      {"a fence with a language, and a prompt with its command",
       "```console\n$ cat /proc/self/mountinfo\n"
       "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n$\n~~~\n"},
      {"a prompt with user and host",
       "root@host:~# cat /proc/1/mountinfo\n"
       "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\nroot@host:~#"},
      {"quoted",
       "> 22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       ">\n> 30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n"},
      {"quoted twice, and a fence in it",
       ">> ```\n>> 22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       ">> 30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n>> ```\n"},
      {"indented, with empty lines",
       "\n    22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\n"
       "    30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n\n"},
      {"tabs",
       "22\t1\t8:1\t/\t/\trw,relatime\tshared:1\t-\text4\t/dev/sda1\trw,errors=remount-ro\n"
       "30\t22\t0:40\t/\t/new\trw,nosuid\t-\ttmpfs\tnone\trw,size=4k\n"},
      {"columns",
       "22  1 8:1  / /    rw,relatime shared:1 - ext4  /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid            - tmpfs none      rw,size=4k\n"},
      {"the log of a service",
       "Nov 21 12:00:01 host prog[123]: 22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 "
       "rw,errors=remount-ro\n"
       "Nov 21 12:00:01 host prog[123]: 30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n"},
      {"the log of a kernel",
       "[   12.345678] 22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "[   12.345679] 30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n"},
      {"numbers of lines, as by cat",
       "     1\t22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "     2\t30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n"},
      {"numbers of lines, as by grep",
       "1:22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "2:30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n"},
      {"wrapped at a blank",
       "22 1 8:1 / / rw,relatime\nshared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new\nrw,nosuid - tmpfs none\nrw,size=4k\n"},
      {"wrapped within words",
       "22 1 8:1 / / rw,rela\ntime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none r\nw,size=4k\n"},
      {"wrapped within a peer group's name, and quoted",
       "> 22 1 8:1 / / rw,relatime sha\n> red:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "> 30 22 0:40 / /new rw,nosuid - tmp\n> fs none rw,size=4k\n"},
      {"no-break spaces and dashes of a word processor",
       "22 1 8:1 / / rw,relatime shared:1 \xe2\x80\x93 ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30\xc2\xa0"
       "22 0:40 / /new rw,nosuid \xe2\x80\x94 tmpfs none rw,size=4k\n"},
      {"in a fold of a web page",
       "<details>\n<pre>\n22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "30 22 0:40 / /new rw,nosuid - tmpfs none rw,size=4k\n</pre>\n</details>\n"},
  }};
  for (const Form& form : forms) {
    CAPTURE(form.what);
    CHECK(found_in(form.text) == wanted);
  }
}

TEST_CASE("the end of a filesystem's options may be on a line of its own") {
  const auto lines = find_mountinfo(
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remo\nunt-ro,data=ordered\n");
  REQUIRE(lines);
  CHECK(lines->size() == 1);
}

TEST_CASE("what is no mountinfo is refused, with its line and what it lacks") {
  const auto refused = [](std::string_view text, std::string_view line, std::string_view words) {
    const auto lines = find_mountinfo(text);
    REQUIRE_FALSE(lines);
    CHECK(lines.error().starts_with(line));
    CHECK(lines.error().contains(words));
  };
  const std::string good = std::string(first) + "\n";
  refused("proc on /proc type proc (rw,nosuid)\n", "line 1: mount prints", "numbers of mounts");
  refused("$ mount\nproc on /proc type proc (rw,nosuid)\n", "line 2: mount prints", "peer groups");
  refused("TARGET SOURCE FSTYPE OPTIONS\n/ /dev/sda1 ext4 rw\n", "line 1: findmnt", "numbers");
  refused("\xe2\x94\x9c\xe2\x94\x80/proc proc proc rw\n", "line 1: findmnt", "numbers");
  refused("proc /proc proc rw,nosuid 0 0\n", "line 1: /proc/mounts", "directories shown");
  refused(good + "30 22 x:40 / /new rw - tmpfs none rw\n", "line 2: ", "MAJOR:MINOR");
  refused(good + "some words about it\n", "line 2: ", "no number");
  refused(good + "30 22 0:40 / /new rw,nosuid\n", "line 2: ", "before the '-'");
  refused("30 22 0:40 / /new rw,nosuid\n" + good, "line 1: ", "before the '-'");
}

}  // namespace
}  // namespace pivotcheck::explain

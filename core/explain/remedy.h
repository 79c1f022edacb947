// SPDX-License-Identifier: Apache-2.0
// remedy.h: what to do about a refusal: commands for a shell, each with the operations on the World
// in which it is tried.
//
//     new-root-on-root-mount     mount --bind /new /new          Bind{"/new", "/new"}
//     new-root-parent-shared     mount --make-private /          ChangePropagation{"/", private}
//     root-not-mount-point       mount --rbind / /; chroot /..   Bind, Chroot: the rest inside
//
// Most remedies change mounts, and help whatever process calls pivot_root afterwards. Some change
// the process (its root, its namespaces), or the call (another put_old): then the commands end with
// the call of pivot_root itself.
//
// No command helps where only another call would: new_root is removed, in another namespace,
// detached, outside of the root, no directory, the root itself, or a symbolic link to nothing or in
// a circle; a directory may not be searched; the root was unmounted; a seccomp filter refuses.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "explain/explain.h"
#include "explain/hypothesis.h"

namespace pivotcheck::explain {

struct Remedy {
  std::string text;                          // the command
  std::function<bool(Hypothesis&)> perform;  // the same in the model; false: refused
  bool changes_process = false;    // `text` takes the following commands as one word, a script
  std::string inside_first{};      // the beginning of that script; may be ""
  bool at_namespace_root = false;  // runs at the namespace's root, not at the process's
  bool movable = false;            // may run earlier
  std::string new_put_old{};       // not "": pivot_root is to be called with this put_old
};
using Remedies = std::vector<Remedy>;

// Adds the remedies of one refusal after another, each tried in the model; then moves what makes
// mounts private before what makes new ones (which would otherwise appear in every peer of their
// parent), and leaves out what is not needed. The final list was performed in the model, in its
// order, under each assumption, and pivot_root succeeded. None if nothing helps: then the answer
// has the refusal without a remedy; in any case the further ones.
Remedies suggest_fixes(const ProcessView& process, const std::vector<Assumption>& assumptions,
                       Answer& answer);

// --- for a POSIX shell (shell.cc) ----------------------------------------------------------------

// One word, quoted where that is needed, in UTF-8 whatever bytes it has.
std::string shell_word(const std::string& word);

// The same for a path as an argument: one that begins with '-' is not taken for an option.
std::string shell_path(const std::string& path);

// The remedies as lines of a script. Where one changes the process, the following ones run inside
// of it, and the call of pivot_root too.
std::vector<std::string> shell_lines(const Remedies& remedies, const ProcessView& process);

}  // namespace pivotcheck::explain

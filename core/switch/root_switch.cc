// SPDX-License-Identifier: Apache-2.0
// root_switch.cc: the public classes: make() inspects and prepares, start() launches a child
// (launch.h; child.h draws what happens), SwitchedChild waits for it.
#include "switch/root_switch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <ranges>
#include <utility>

#include "switch/clone.h"
#include "switch/confine.h"
#include "switch/launch.h"
#include "switch/refusal.h"
#include "syscalls/syscalls.h"

extern char** environ;  // NOLINT: POSIX wants it declared by whoever uses it

namespace pivotcheck {
namespace {

using namespace rootswitch;  // NOLINT: this file is its face

template <class Words>
std::pmr::vector<char*> pointers(const Words& words, std::pmr::memory_resource& memory) {
  std::pmr::vector<char*> result(&memory);
  result.reserve(words.size() + 1);
  for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

// Where a command without a slash may be, as with execvp: in PATH, or in its default.
std::pmr::vector<std::pmr::string> candidates(const Command& command,
                                              std::pmr::memory_resource& memory) {
  std::pmr::vector<std::pmr::string> result(&memory);
  const std::string& name = command.arguments.front();
  if (name.find('/') != std::string::npos) {
    result.emplace_back(name);
    return result;
  }
  std::string_view path = "/bin:/usr/bin";
  if (command.environment) {
    for (const std::string& variable : *command.environment) {
      if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
    }
  } else if (const char* own = std::getenv("PATH")) {
    path = own;
  }
  for (const auto part : path | std::views::split(':')) {
    std::pmr::string& candidate = result.emplace_back(part.begin(), part.end());
    if (!candidate.empty()) candidate += '/';
    candidate += name;
  }
  return result;
}

// A name for the old root's directory that no other switch uses at the same time.
constexpr std::string_view put_old_prefix = ".pivotcheck-old-";
std::string put_old_name() {
  static std::atomic<unsigned> count{0};
  return std::string(put_old_prefix) + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

// Removes what switches left in this root that were killed with their caller. One that is in use is
// locked (MakePrivateDirectory).
void sweep_put_old(int root) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  // The mkdir of each switch makes the access time due again, and to write it costs as much as to
  // read the names. Only the owner may leave it as it is.
  UniqueFd directory(::openat(root, ".", flags | O_NOATIME));
  if (!directory) directory.reset(::openat(root, ".", flags));
  // Without readdir(): what it allocates costs as much again.
  alignas(dirent64) std::array<char, 2048> entries;  // NOLINT: need not be zero
  for (;;) {
    const ssize_t size = ::getdents64(directory.get(), entries.data(), entries.size());
    if (size <= 0) return;
    for (ssize_t at = 0; at < size;) {
      const auto* const found = reinterpret_cast<const dirent64*>(entries.data() + at);
      at += found->d_reclen;
      if (!std::string_view(found->d_name).starts_with(put_old_prefix)) continue;
      const UniqueFd left(::openat(directory.get(), found->d_name, flags));
      if (!left || ::flock(left.get(), LOCK_EX | LOCK_NB) != 0) continue;
      ::unlinkat(directory.get(), found->d_name, AT_REMOVEDIR);
    }
  }
}

bool writes_put_old(Strategy strategy) {
  return strategy == Strategy::put_old || strategy == Strategy::manual ||
         strategy == Strategy::proc_first;
}

}  // namespace

// --- the child's handle --------------------------------------------------------------------------

struct SwitchedChild::State : Launched {
  std::shared_ptr<const UniqueFd> root;
  std::string put_old;
  bool over = false;
  bool asked = false;  // whether it has ended

  Waited wait_for(int options) {
    if ((options & WNOHANG) == 0) return wait_for_command(pid, pidfd.get());
    const Waited waited = wait_for_end(pid, options);
    if (waited.pid != 0 || !std::exchange(asked, true)) return waited;
    reap_traced_threads(pid);
    return wait_for_end(pid, options);
  }

  // A child that was killed before its command started may have left its directory.
  void sweep() const { ::unlinkat(root->get(), put_old.c_str(), AT_REMOVEDIR); }
};

SwitchedChild::SwitchedChild(std::unique_ptr<State> state) : state_(std::move(state)) {}
SwitchedChild::SwitchedChild(SwitchedChild&&) noexcept = default;
SwitchedChild& SwitchedChild::operator=(SwitchedChild&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
SwitchedChild::~SwitchedChild() {
  if (!state_ || state_->over) return;
  kill_and_reap(*state_);
  state_->sweep();
}

pid_t SwitchedChild::pid() const { return state_->pid; }
int SwitchedChild::pidfd() const { return state_->pidfd.get(); }
bool SwitchedChild::signal(int number) {
  return !state_->over && kernel::sys_pidfd_send_signal(state_->pidfd.get(), number) == 0;
}
int SwitchedChild::not_locked() const { return state_->not_locked; }
void SwitchedChild::let_go() { state_->over = true; }

Switched<std::optional<Ended>> SwitchedChild::try_wait() { return wait_with(WNOHANG); }

Switched<Ended> SwitchedChild::wait() {
  auto ended = wait_with(0);
  if (!ended) return std::unexpected(ended.error());
  return **ended;
}

Switched<std::optional<Ended>> SwitchedChild::wait_with(int options) {
  const auto [gone, status] = state_->wait_for(options);
  const int error = errno;
  if (gone == 0) return std::nullopt;
  state_->over = true;
  if (state_->init.pid > 0) wait_for_init(state_->init);
  if (gone < 0) return std::unexpected(refused_before("waiting", error));
  if (!WIFSIGNALED(status)) return Ended{.by_signal = false, .code = WEXITSTATUS(status)};
  state_->sweep();
  return Ended{.by_signal = true, .code = WTERMSIG(status)};
}

// --- the switch ----------------------------------------------------------------------------------

struct RootSwitch::State {
  SwitchOptions options;
  strategy::Plan plan;
  std::shared_ptr<const UniqueFd> root;
  TemplateNamespaces namespaces;
  UniqueFd init_image;
  std::mutex mutex;  // of `idle`
  // Used again and again: a page that the caller writes to after it has forked must be copied.
  std::vector<std::unique_ptr<PreparedSwitch>> idle;

  std::unique_ptr<PreparedSwitch> take_prepared() {
    const std::lock_guard lock(mutex);
    if (!idle.empty()) {
      auto prepared = std::move(idle.back());
      idle.pop_back();
      return prepared;
    }
    strategy::Plan named = plan;
    named.put_old = put_old_name();
    return std::make_unique<PreparedSwitch>(named.put_old,
                                            strategy::steps(options.strategy, named));
  }
  void give_back(std::unique_ptr<PreparedSwitch> prepared) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(prepared));
  }

  Switched<void> prepare_template() {
    PreparedSwitch preparation{.put_old = {}, .steps = strategy::template_preparation(plan)};
    ChildArgs args{.options = options,
                   .prepared = preparation,
                   .entered = namespaces,
                   .root = root->get()};
    auto done = launch(args, &namespaces);
    if (!done) return std::unexpected(done.error());
    if (!namespaces.template_) {
      return std::unexpected(refused_before("the template was not made", 0));
    }
    return {};
  }
};

RootSwitch::RootSwitch(std::unique_ptr<State> state) : state_(std::move(state)) {}
RootSwitch::RootSwitch(RootSwitch&&) noexcept = default;
RootSwitch& RootSwitch::operator=(RootSwitch&&) noexcept = default;
RootSwitch::~RootSwitch() = default;

Switched<RootSwitch> RootSwitch::make(SwitchOptions asked) {
  auto confined = with_confinement(std::move(asked));
  if (!confined) return std::unexpected(confined.error());
  SwitchOptions& options = *confined;
  auto inspected = inspect(options);
  if (!inspected) return std::unexpected(inspected.error());
  auto state = std::make_unique<State>();
  state->plan = std::move(inspected->plan);
  state->root = std::make_shared<const UniqueFd>(std::move(inspected->root));
  if (writes_put_old(options.strategy)) sweep_put_old(state->root->get());
  std::vector<int>& keep = options.keep_descriptors;
  std::erase_if(keep, [](int fd) { return fd < 3; });
  std::ranges::sort(keep);
  const auto doubles = std::ranges::unique(keep);
  keep.erase(doubles.begin(), doubles.end());
  state->options = std::move(options);
  if (state->plan.pid_namespace) {
    auto image = make_init_image();
    if (!image) {
      return std::unexpected(refused_before("the memory file of the init", image.error()));
    }
    state->init_image = *std::move(image);
  }
  if (state->options.strategy == Strategy::template_) {
    if (auto made = state->prepare_template(); !made) return std::unexpected(made.error());
  }
  return RootSwitch(std::move(state));
}

Switched<SwitchedChild> RootSwitch::start(const Command& command) const {
  if (command.arguments.empty()) {
    return std::unexpected(
        SwitchFailure{SwitchFailure::Kind::bad_options, "", 0, "", "no command was named"});
  }
  // Not from the heap if it is not much: see State::idle.
  std::array<std::byte, 2048> room;
  std::pmr::monotonic_buffer_resource memory(room.data(), room.size());
  const auto paths = candidates(command, memory);
  const auto path_pointers = pointers(paths, memory);
  const auto arguments = pointers(command.arguments, memory);
  std::pmr::vector<char*> environment(&memory);
  if (command.environment) environment = pointers(*command.environment, memory);

  std::pmr::vector<char*> stage(&memory);
  std::string count = std::to_string(paths.size());
  std::string stage_name = STAGE_NAME;

  auto prepared = state_->take_prepared();
  const std::string& put_old = prepared->put_old;  // lives as long as this object
  ChildArgs args{.options = state_->options,
                 .prepared = *prepared,
                 .entered = state_->namespaces,
                 .root = state_->root->get(),
                 .init_image = state_->init_image.get(),
                 .paths = std::span(path_pointers).first(paths.size()),
                 .arguments = arguments.data(),
                 .environment = command.environment ? environment.data() : environ,
                 .mask = command.signal_mask ? &*command.signal_mask : nullptr};
  if (state_->options.confine) {
    stage = {stage_name.data(), args.pipe_text.data(), count.data()};
    stage.insert(stage.end(), args.paths.begin(), args.paths.end());
    stage.insert(stage.end(), arguments.begin(), arguments.end());  // with the null pointer
    args.stage = stage;
  }
  auto launched = launch(args);
  state_->give_back(std::move(prepared));
  if (!launched) {
    SwitchFailure failure = std::move(launched.error());
    // Gone already, unless the child was stopped in between.
    ::unlinkat(args.root, put_old.c_str(), AT_REMOVEDIR);
    if (failure.step == "exec") {
      failure.step += " " + command.arguments.front();
      failure.message = failure.step + " in the new root: " + failure.message;
    }
    return std::unexpected(std::move(failure));
  }
  return SwitchedChild(std::make_unique<SwitchedChild::State>(*std::move(launched), state_->root,
                                                              std::string(put_old)));
}

// --- capabilities by name ------------------------------------------------------------------------

std::span<const std::string_view> capability_names() {
  // linux/capability.h, in the order of the numbers. A newer capability has no name here, but is
  // among "all".
  static constexpr std::array<std::string_view, 41> names{
      "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
      "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
      "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
      "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
      "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
      "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"};
  return names;
}

std::optional<std::uint64_t> capability_bits(std::string_view name) {
  const auto names = capability_names();
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "all") return ~std::uint64_t{0};
  std::string_view bare = lower;
  if (bare.starts_with("cap_")) bare.remove_prefix(4);
  const auto found = std::ranges::find(names, bare);
  if (found == names.end()) return std::nullopt;
  return std::uint64_t{1} << (found - names.begin());
}

}  // namespace pivotcheck

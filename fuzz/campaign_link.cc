// SPDX-License-Identifier: Apache-2.0
// campaign_link.cc: maps the shared memory, and reports cases.
#include "campaign_link.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace pivotcheck::fuzz {
namespace {

[[noreturn]] void give_up(const char* words) {
  std::fprintf(stderr, "%s: %s\n", FuzzerLink::variable, words);
  std::fflush(nullptr);
  std::_Exit(3);
}

template <class T>
T* shared(int fd) {
  if (::lseek(fd, 0, SEEK_END) != static_cast<off_t>(sizeof(T))) {
    give_up("the command and this target are not of the same build");
  }
  void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) give_up("mmap of the shared memory");
  return static_cast<T*>(memory);
}

std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

}  // namespace

std::unique_ptr<CampaignLink> CampaignLink::find() {
  const char* text = std::getenv(FuzzerLink::variable);
  if (text == nullptr) return nullptr;
  std::unique_ptr<CampaignLink> link(new CampaignLink);
  if (std::string_view(text) == "predict") {
    link->only_predicts_ = true;
    return link;
  }
  std::array<char, 8> privilege{};
  std::array<char, 11> recipes{};
  int length = 0;
  if (std::sscanf(text, "%u/%u %7s %10s %n", &link->share_, &link->shares_, privilege.data(),
                  recipes.data(), &length) < 4 ||
      link->shares_ == 0) {
    give_up("not as it should be");
  }
  link->privilege_ = privilege.data();
  link->recipes_ = std::string_view(recipes.data()) == "recipes";
  link->artifacts_ = text + length;
  link->findings_ = shared<Findings>(FuzzerLink::findings);
  link->slot_ = shared<FuzzerSlot>(FuzzerLink::slot);
  return link;
}

void CampaignLink::begin(Trial trial) {
  reporter_.emplace(
      CampaignProcess{*findings_, slot_->counts, slot_->alive_ms, FuzzerLink::pipe, artifacts_},
      std::move(trial));
}

void CampaignLink::next() {
  if (only_predicts_) return;
  slot_->alive_ms = now_ms();
  if (!findings_->stop) return;
  reporter_->end();
  std::_Exit(0);
}

bool CampaignLink::is_mine(const Scenario& scenario) const {
  return !only_predicts_ && hash_of(print(scenario)) % shares_ == share_;
}

TrialResult::Kind CampaignLink::perform(const Scenario& scenario, const gen::CoverageStats& stats,
                                    const Prediction& predicted) {
  const std::uint64_t number = slot_->begun;
  FuzzerRecent& recent = slot_->recent[number % fuzzer_recent];
  const std::string text = print(scenario);
  const std::size_t size = std::min(text.size(), recent.text.size());
  std::memcpy(recent.text.data(), text.data(), size);
  recent.size = static_cast<std::uint32_t>(size);
  recent.finished_ms = 0;
  slot_->begun = number + 1;
  const CaseRef one{.name = fmt::format("libfuzzer-{:016x}", hash_of(text)),
                     .origin = fmt::format("by libFuzzer, input {} of its process", number),
                     .scenario = [&] { return scenario; }};
  const TrialResult::Kind kind =
      reporter_->perform(one, stats, predicted);
  recent.finished_ms = now_ms();
  return kind;
}

}  // namespace pivotcheck::fuzz

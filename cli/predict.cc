// SPDX-License-Identifier: Apache-2.0
// predict.cc: `pivotcheck predict`: what the model of any kernel answers to each scenario of a
// stream (stream.h): outcomes with their rules, the state's fingerprint, and the law that it would
// break. No kernel is asked.
//
//     $ pivotcheck predict --model 6.12.100 corpus/findings/umount-takes-a-busy-copy.scn
//     {"name":"corpus/...","steps":12,"refused":{},"state":"...","law":"umount-leaves-..."}
//     $ pivotcheck predict --model contract corpus/findings/umount-takes-a-busy-copy.scn
//     {"name":"corpus/...","steps":12,"refused":{"12":"EBUSY ..."},"state":"..."}
//
// An object of the stream may name a model of its own: {"name":..., "scenario":...,
// "model":"7.3.4"}.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "check/trial/model_state.h"
#include "commands.h"
#include "interruption.h"
#include "model/predict.h"
#include "model_spec.h"
#include "output.h"
#include "stream.h"
#include "view/fingerprint.h"

namespace pivotcheck::cli {
namespace {

struct PredictOptions {
  std::vector<std::string> paths;
  std::string model = "running";
  bool laws = false;
};

Json predicted(const StreamItem& item, const KernelTraits& traits, bool asks_laws) {
  const Prediction prediction = predict(item.scenario, traits);
  Json object = {{"name", item.name}};
  set_outcomes(object, prediction.verdicts, true);
  if (prediction.stop == Verdict::Stop::no) {
    object["state"] = fingerprint(canonical(snapshot(prediction.world)));
  }
  set(object, "stop", reason(prediction.stop));
  if (!asks_laws) return object;
  laws::AskedCounts asked{};
  if (const auto breach = broken_by_model(prediction.program, traits, laws::Quirks(), asked)) {
    object["law"] = breach->law->name;
  }
  return object;
}

ExitStatus predict_all(const PredictOptions& options) {
  catch_interruptions(SecondSignal::exits);
  const auto traits = parse_model(options.model);
  if (!traits) return complain(traits.error().what, ExitStatus::bad_usage);
  return for_each_scenario(options.paths, {.answer = [&](const StreamItem& item) {
                             std::optional<KernelTraits> own;
                             if (item.line.contains("model")) {
                               const auto asked = parse_model(item.line.value("model", ""));
                               if (!asked)
                                 return complain(asked.error().what, ExitStatus::bad_usage);
                               own = *asked;
                             }
                             print_now(predicted(item, own.value_or(*traits), options.laws));
                             return ExitStatus::agreed;
                           }});
}

}  // namespace

CommandSpec predict_command() {
  auto options = std::make_shared<PredictOptions>();
  return {.name = "predict",
          .summary =
              "Say as JSON lines what the model of a kernel answers to each scenario of a stream",
          .options =
              {{"--model",
                &options->model,
                "the kernel: running, a release such as 6.12.117, or contract (no kernel's "
                "quirks); then changes, as in 6.12.117,lock_rises_with_cover=off",
                {.shows_default = true}},
               {"--laws", &options->laws, "name the law that the prediction breaks"},
               {"FILE|DIR", &options->paths,
                "scenarios; if none is named, JSON lines with \"name\", \"scenario\" and perhaps "
                "\"model\" are read from standard input, and each is answered at once"}},
          .footer = "Exit status: 0, or 2 for bad usage or a bad line.",
          .run = [options] { return predict_all(*options); }};
}

}  // namespace pivotcheck::cli

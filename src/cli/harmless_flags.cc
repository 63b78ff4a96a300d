#include "cli/harmless_flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace tandem::cli {
namespace {

constexpr std::string_view kNoGpu = "there is no GPU memory to divide; see --kv-cache-memory";
constexpr std::string_view kNotCompiled = "nothing is compiled or captured here";
constexpr std::string_view kOneProcess = "an instance is one process";
constexpr std::string_view kAlwaysChunked = "prompts are always computed in chunks";
constexpr std::string_view kScheduling = "requests are scheduled first come, first served";
constexpr std::string_view kFromCheckpoint = "the checkpoint's files say it";
constexpr std::string_view kOneLog =
    "there is one log, of which --uvicorn-log-level sets the level";
constexpr std::string_view kNoTools = "tools are not supported yet; requests with them are refused";
constexpr std::string_view kAlwaysOn = "this is always on";

constexpr HarmlessFlag kFlags[] = {
    {"--gpu-memory-utilization", true, kNoGpu},
    {"--swap-space", true, kNoGpu},
    {"--cpu-offload-gb", true, kNoGpu},
    {"--device", true, "this build runs on the CPU"},
    {"--enforce-eager", false, kNotCompiled},
    {"--no-enforce-eager", false, kNotCompiled},
    {"--compilation-config", true, kNotCompiled},
    {"--max-seq-len-to-capture", true, kNotCompiled},
    {"--cudagraph-capture-sizes", true, kNotCompiled},
    {"--disable-cascade-attn", false, kNotCompiled},
    {"--enable-chunked-prefill", false, kAlwaysChunked},
    {"--no-enable-chunked-prefill", false, kAlwaysChunked},
    {"--max-num-partial-prefills", true, kAlwaysChunked},
    {"--max-long-partial-prefills", true, kAlwaysChunked},
    {"--long-prefill-token-threshold", true, kAlwaysChunked},
    {"--num-scheduler-steps", true, kScheduling},
    {"--scheduler-delay-factor", true, kScheduling},
    {"--async-scheduling", false, kScheduling},
    {"--no-async-scheduling", false, kScheduling},
    {"--distributed-executor-backend", true, kOneProcess},
    {"--disable-custom-all-reduce", false, kOneProcess},
    {"--disable-frontend-multiprocessing", false, kOneProcess},
    {"--api-server-count", true, kOneProcess},
    {"--max-parallel-loading-workers", true, kOneProcess},
    {"--trust-remote-code", false, "no code of a checkpoint is ever run"},
    {"--no-trust-remote-code", false, "no code of a checkpoint is ever run"},
    {"--load-format", true, kFromCheckpoint},
    {"--quantization", true, kFromCheckpoint},
    {"--tokenizer-mode", true, kFromCheckpoint},
    {"--config-format", true, kFromCheckpoint},
    {"--task", true, "text generation is all that is served"},
    {"--runner", true, "text generation is all that is served"},
    {"--prefix-caching-hash-algo", true, "block hashes stay within the process"},
    {"--disable-log-stats", false, "statistics are at /metrics"},
    {"--disable-uvicorn-access-log", false, kOneLog},
    {"--max-log-len", true, "prompts are never logged"},
    {"--enable-prompt-tokens-details", false, kAlwaysOn},
    {"--enable-server-load-tracking", false, kAlwaysOn},
    {"--enable-request-id-headers", false, kAlwaysOn},
    {"--enable-force-include-usage", false, "clients ask for usage with stream_options"},
    {"--enable-auto-tool-choice", false, kNoTools},
    {"--tool-call-parser", true, kNoTools},
    {"--reasoning-parser", true, "the text is given as the model writes it"},
};

struct ShortForm {
  std::string_view name;
  std::string_view long_form;
};

constexpr ShortForm kShortForms[] = {{"-tp", "--tensor-parallel-size"},
                                     {"-pp", "--pipeline-parallel-size"},
                                     {"-dp", "--data-parallel-size"},
                                     {"-q", "--quantization"},
                                     {"-O", "--compilation-config"}};

/// A flag in its long form with dashes, without a value behind an equals sign.
std::string Normalize(std::string_view flag) {
  for (const ShortForm& form : kShortForms) {
    if (flag == form.name) return std::string(form.long_form);
  }
  std::string name(flag);
  std::replace(name.begin() + 2, name.end(), '_', '-');
  return name;
}

bool IsFlag(std::string_view argument) {
  if (argument.starts_with("--")) return argument.size() > 2;
  return std::any_of(std::begin(kShortForms), std::end(kShortForms),
                     [&](const ShortForm& form) { return argument == form.name; });
}

absl::Status UnknownFlag(const std::string& flag, const std::vector<std::string>& known) {
  std::vector<std::string_view> names(known.begin(), known.end());
  for (const HarmlessFlag& harmless : kFlags) names.push_back(harmless.name);
  return absl::InvalidArgumentError(
      fmt::format("unknown flag {}{}; --help lists the flags", flag, Suggestion(flag, names)));
}

}  // namespace

std::span<const HarmlessFlag> HarmlessFlags() { return kFlags; }

absl::StatusOr<SiftedArguments> SiftArguments(const Arguments& arguments,
                                              const std::vector<std::string>& known) {
  SiftedArguments sifted;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!IsFlag(argument)) {
      sifted.arguments.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = Normalize(std::string_view(argument).substr(0, equals));
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      sifted.arguments.push_back(equals == std::string::npos ? name
                                                             : name + argument.substr(equals));
      continue;
    }
    const auto harmless = std::find_if(std::begin(kFlags), std::end(kFlags),
                                       [&](const HarmlessFlag& flag) { return flag.name == name; });
    if (harmless == std::end(kFlags)) return UnknownFlag(name, known);
    const bool value_follows = harmless->takes_value && equals == std::string::npos;
    if (value_follows && (i + 1 == arguments.size() || IsFlag(arguments[i + 1]))) {
      return absl::InvalidArgumentError(fmt::format("{} needs a value", name));
    }
    if (value_follows) ++i;
    sifted.warnings.push_back(fmt::format("{} has no effect: {}", name, harmless->why));
  }
  return sifted;
}

}  // namespace tandem::cli

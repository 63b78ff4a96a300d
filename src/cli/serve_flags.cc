#include "cli/serve_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>

#include "base/status.h"
#include "cli/accepted_value.h"
#include "cli/harmless_flags.h"

namespace tandem::cli {
namespace {

/// What CLI11 fills before it is checked.
struct RawFlags {
  std::string dtype = "auto";
  std::string kv_cache_dtype = "auto";
  std::string generation_config = "auto";
  std::string scheduling_policy = "fcfs";
  std::string log_level = "info";
  int block_size = 16;
  int tensor_parallel_size = 1;
  int pipeline_parallel_size = 1;
  int data_parallel_size = 1;
};

void AddModelFlags(CLI::App& app, ServeOptions& options, RawFlags& raw) {
  app.add_option("MODEL,--model", options.model,
                 "a GGUF file, a checkpoint directory or a hub name");
  app.add_option("--served-model-name", options.served_model_names,
                 "names by which requests ask for it; the first stands in replies")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1, 64);
  app.add_option("--dtype", raw.dtype, "of the KV cache: auto, float16, bfloat16 or float32");
  app.add_option("--kv-cache-dtype", raw.kv_cache_dtype, "the same, and goes before --dtype");
  app.add_option("--max-model-len", options.max_model_len,
                 "most tokens of prompt and output (default: the checkpoint's)")
      ->transform(TokenCount());
  app.add_option("--generation-config", raw.generation_config,
                 "auto: sampling defaults of the checkpoint; vllm: vLLM's")
      ->transform(OneOf({"auto", "vllm"}));
}

void AddServerFlags(CLI::App& app, ServeOptions& options, RawFlags& raw) {
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "0 lets the system choose")
      ->transform(Port())
      ->capture_default_str();
  app.add_option("--api-key", options.api_keys, "who has one may call /v1/* (also VLLM_API_KEY)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1, 64);
  app.add_option("--ssl-certfile", options.ssl_certfile,
                 "certificate in PEM: serve HTTPS; needs --ssl-keyfile");
  app.add_option("--ssl-keyfile", options.ssl_keyfile, "its private key in PEM");
  app.add_flag(
      "--log-requests,--enable-log-requests,!--disable-log-requests,"
      "!--no-enable-log-requests",
      options.log_requests, "a line at the start and the end of each request");
  app.add_option("--uvicorn-log-level", raw.log_level, "of all messages")
      ->transform(OneOf({"trace", "debug", "info", "warning", "error", "critical"}))
      ->capture_default_str();
  app.add_option("--ready-file", options.ready_file, "written with the port when it serves");
  app.add_option("--shutdown-grace", options.shutdown_grace_seconds,
                 "seconds that requests in flight may take when stopping")
      ->transform(WholeNumber(0, kLongestSeconds))
      ->capture_default_str();
}

void AddEngineFlags(CLI::App& app, ServeOptions& options, RawFlags& raw) {
  app.add_option("--threads", options.threads, "that compute (default: as many as cores)")
      ->transform(WholeNumber(1, 4096));
  app.add_option("--kv-cache-memory,--kv-cache-memory-bytes", options.kv_cache_bytes,
                 "bytes, or a number with kb, mb or gb (default: by the memory there is)")
      ->transform(ByteSize(1));
  app.add_option("--max-num-seqs", options.max_num_seqs, "requests computed at the same time")
      ->transform(WholeNumber(1, 65536))
      ->capture_default_str();
  app.add_option("--max-num-batched-tokens", options.max_num_batched_tokens, "of one step")
      ->transform(WholeNumber(1, 1 << 20))
      ->capture_default_str();
  app.add_flag("--enable-prefix-caching,!--no-enable-prefix-caching", options.enable_prefix_caching,
               "requests share the KV of equal beginnings");
  app.add_option("--scheduling-policy", raw.scheduling_policy,
                 "fcfs: first come, first served; priority: requests with a lower priority first")
      ->transform(OneOf({"fcfs", "priority"}))
      ->capture_default_str();
  app.add_option("--max-logprobs", options.max_logprobs,
                 "most log-probabilities a request may ask for at a token; -1: all")
      ->transform(WholeNumber(-1, 1 << 24))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of requests that name none")
      ->transform(WholeNumber(0, std::numeric_limits<int64_t>::max()))
      ->capture_default_str();
  app.add_option("--block-size", raw.block_size, "tokens of a KV block")
      ->transform(WholeNumber(16, 16))
      ->capture_default_str();
  for (const auto& [name, value] : {std::pair("--tensor-parallel-size", &raw.tensor_parallel_size),
                                    {"--pipeline-parallel-size", &raw.pipeline_parallel_size},
                                    {"--data-parallel-size", &raw.data_parallel_size}}) {
    app.add_option(name, *value, "an instance has one device")
        ->transform(WholeNumber(1, 1))
        ->capture_default_str();
  }
  app.add_option("--kv-transfer-config", options.kv_transfer_config,
                 "JSON: {\"kv_connector\": \"LMCacheConnectorV1\", \"kv_role\": \"kv_producer\", "
                 "\"kv_consumer\" or \"kv_both\"}; the store is configured by LMCACHE_CONFIG_FILE");
}

std::vector<std::string> KnownFlags(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

absl::StatusOr<std::optional<compute::DataType>> ReadDtype(const char* flag,
                                                           const std::string& text) {
  if (text == "auto") return std::optional<compute::DataType>();
  const absl::StatusOr<compute::DataType> type = compute::ParseDataType(text);
  if (type.ok()) return std::optional(*type);
  return absl::InvalidArgumentError(fmt::format(
      "{}: '{}' is not accepted; it takes auto, float16, bfloat16 or float32", flag, text));
}

absl::Status Resolve(const RawFlags& raw, ServeOptions& options) {
  if (options.model.empty()) {
    return absl::InvalidArgumentError(
        "MODEL is missing: it is a GGUF file, a checkpoint directory or a hub name");
  }
  ASSIGN_OR_RETURN(const auto dtype, ReadDtype("--dtype", raw.dtype));
  ASSIGN_OR_RETURN(const auto kv_dtype, ReadDtype("--kv-cache-dtype", raw.kv_cache_dtype));
  options.kv_cache_dtype = kv_dtype ? kv_dtype : dtype;
  options.schedule_by_priority = raw.scheduling_policy == "priority";
  options.checkpoint_sampling_defaults = raw.generation_config == "auto";
  options.log_level = raw.log_level == "critical" ? "error" : raw.log_level;
  if (options.served_model_names.empty()) options.served_model_names = {options.model};
  const char* key = std::getenv("VLLM_API_KEY");
  if (options.api_keys.empty() && key != nullptr && *key != '\0') options.api_keys = {key};
  return absl::OkStatus();
}

int Complain(const absl::Status& error) {
  std::fprintf(stderr, "tandem serve: %s\n", std::string(error.message()).c_str());
  return 2;
}

}  // namespace

std::variant<ServeOptions, int> ParseServeFlags(const Arguments& arguments) {
  ServeOptions options;
  RawFlags raw;
  options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  CLI::App app("Serves a model with the OpenAI API.", "tandem serve");
  // A launcher's flags come first, the user's own behind them.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  AddModelFlags(app, options, raw);
  AddServerFlags(app, options, raw);
  AddEngineFlags(app, options, raw);
  app.footer("Flags of 'vllm serve' that mean nothing here are accepted with a warning.");

  absl::StatusOr<SiftedArguments> sifted = SiftArguments(arguments, KnownFlags(app));
  if (!sifted.ok()) return Complain(sifted.status());
  Arguments& ordered = sifted->arguments;
  std::reverse(ordered.begin(), ordered.end());
  try {
    app.parse(ordered);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.warnings = std::move(sifted->warnings);
  if (absl::Status status = Resolve(raw, options); !status.ok()) return Complain(status);
  return options;
}

}  // namespace tandem::cli

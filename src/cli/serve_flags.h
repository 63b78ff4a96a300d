#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands.h"
#include "compute/data_type.h"

namespace tandem::cli {

/// The command line of `tandem serve`, as far as it can be checked without the model.
struct ServeOptions {
  std::string model;  ///< A GGUF file, a checkpoint directory or a hub name.
  std::vector<std::string> served_model_names;  ///< Never empty; by default the model as given.
  std::string host = "0.0.0.0";
  int port = 8000;
  std::vector<std::string> api_keys;
  std::string ssl_certfile, ssl_keyfile;            ///< In PEM; empty: plain HTTP.
  std::optional<compute::DataType> kv_cache_dtype;  ///< Absent: the checkpoint's own.
  std::optional<int> max_model_len;                 ///< Absent: the checkpoint's.
  int max_num_seqs = 256;
  int max_num_batched_tokens = 512;
  uint64_t seed = 0;
  int threads = 1;
  std::optional<uint64_t> kv_cache_bytes;  ///< Absent: chosen by the memory there is.
  bool enable_prefix_caching = true;
  bool schedule_by_priority = false;
  int max_logprobs = 20;  ///< -1: the whole vocabulary.
  bool checkpoint_sampling_defaults = true;
  bool log_requests = true;
  std::string log_level = "info";
  std::string kv_transfer_config;  ///< JSON; empty: no shared cache.
  std::string ready_file;
  int shutdown_grace_seconds = 30;
  std::vector<std::string>
      warnings;  ///< To be logged once: flags that have no effect here, and why.
};

/// The options, or the exit code of a command line that asks for help (0) or is wrong (2): its
/// complaint has been printed and names the flag, the value and what is accepted.
std::variant<ServeOptions, int> ParseServeFlags(const Arguments& arguments);

}  // namespace tandem::cli

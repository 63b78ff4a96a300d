#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "http/client.h"
#include "loadgen/distribution.h"

namespace tandem::loadgen {

struct ServingLoadOptions {
  std::string url = "http://127.0.0.1:9000";  ///< Of a proxy or an instance.
  std::string model;                          ///< Empty: the first that /v1/models lists.
  int requests = 32;
  int input_tokens = 512;
  int output_tokens = 128;
  /// Prompts are random token ids below this and above the special tokens that vocabularies open
  /// with.
  int vocabulary = 16'000;
  uint64_t seed = 0;
  Duration request_timeout = std::chrono::seconds(600);
};

/// What a server did under one load.
struct ServingResult {
  int concurrency = 0;
  int completed = 0;
  int failed = 0;
  std::string first_error;  ///< Of the first request that failed.
  double seconds = 0;       ///< From the first request to the end of the last.
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  Distribution seconds_to_first_token;
  Distribution seconds_between_tokens;
};

/// Asks a server for completions, streamed, with a fixed number of requests in flight. Prompts
/// differ from each other and between loads of another seed or concurrency, so that no cache
/// answers them.
class ServingLoad {
 public:
  /// `client` must outlive this.
  ServingLoad(ServingLoadOptions options, http::Client& client);

  /// Asks for the model's name if none was given.
  absl::Status Prepare();
  /// Runs all requests, `concurrency` at a time. Waits at most request_timeout for each.
  ServingResult Run(int concurrency);

 private:
  std::string RequestBody(uint64_t prompt_seed) const;

  ServingLoadOptions options_;
  http::Client& client_;
};

}  // namespace tandem::loadgen

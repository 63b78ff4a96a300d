#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/schema/field_reader.h"
#include "api/schema/kv_transfer_params.h"
#include "api/schema/sampling_request.h"

namespace tandem::api {

/// What completion and chat requests have in common.
struct GenerationRequest {
  std::string model;  ///< Empty: whatever is served.
  SamplingRequest sampling;
  /// Alternatives to report for each token, -1: the whole vocabulary; absent: no logprobs.
  std::optional<int> logprobs;
  int n = 1;
  int best_of = 1;  ///< Choices sampled, of which the `n` most likely are given; at least `n`.
  bool stream = false;
  bool include_usage = false;           ///< A last chunk with the usage.
  bool continuous_usage_stats = false;  ///< The usage so far in every chunk.
  bool return_token_ids = false;
  bool return_tokens_as_token_ids = false;  ///< Logprobs name tokens as "token_id:<id>".
  std::string cache_salt;
  int64_t priority = 0;
  std::optional<KvTransferParams> kv_transfer;
  std::vector<std::string> ignored_fields;  ///< Fields that nothing here knows, for the log.
};

/// Reads the common fields and refuses the unsupported ones; errors are left in the reader.
/// Everything but logprobs, whose form differs.
GenerationRequest ReadGeneration(FieldReader& fields, int least_max_tokens);

}  // namespace tandem::api

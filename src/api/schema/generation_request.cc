#include "api/schema/generation_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "api/schema/unsupported_fields.h"

namespace tandem::api {
namespace {

/// vLLM's limits.
constexpr int kMaxChoices = 16384;
constexpr int64_t kMaxSaltLength = 128;
constexpr std::string_view kNotInSalts("@/\\\0", 4);

void ReadStreamOptions(FieldReader& fields, GenerationRequest& request) {
  const boost::json::value* found = fields.Find("stream_options");
  if (found == nullptr) return;
  if (!found->is_object()) return fields.Fail("stream_options", "an object");
  if (!request.stream) {
    if (found->get_object().empty()) return;
    return fields.FailWith(
        "stream_options",
        fmt::format("stream_options is accepted only with \"stream\": true, got {}",
                    Quote(*found)));
  }
  FieldReader options(found->get_object(), "stream_options.");
  options.Read("include_usage", request.include_usage);
  options.Read("continuous_usage_stats", request.continuous_usage_stats);
  fields.Adopt(options.status());
}

void ReadChoices(FieldReader& fields, GenerationRequest& request) {
  fields.Read("n", request.n, {.least = 1, .most = kMaxChoices});
  std::optional<int> best_of;
  fields.Read("best_of", best_of, {.least = 1, .most = kMaxChoices});
  request.best_of = best_of.value_or(request.n);
  if (request.best_of < request.n) {
    fields.Fail("best_of", fmt::format("at least n, {}", request.n));
  }
}

void ReadCacheSalt(FieldReader& fields, std::string& salt) {
  fields.Read("cache_salt", salt);
  if (fields.Find("cache_salt") == nullptr) return;
  // Characters, not bytes: those that do not go on with the one before.
  const int64_t length =
      std::count_if(salt.begin(), salt.end(), [](char byte) { return (byte & 0xc0) != 0x80; });
  if (length == 0 || length > kMaxSaltLength ||
      salt.find_first_of(kNotInSalts) != std::string::npos) {
    fields.Fail("cache_salt", "a string of 1 to 128 characters, none of them @, /, \\ or NUL");
  }
}

void ReadPriority(FieldReader& fields, int64_t& priority) {
  std::optional<int64_t> given;
  fields.Read("priority", given);
  priority = given.value_or(priority);
}

void ReadKvTransfer(FieldReader& fields, std::optional<KvTransferParams>& kv_transfer) {
  const boost::json::value* found = fields.Find("kv_transfer_params");
  if (found == nullptr) return;
  absl::StatusOr<KvTransferParams> params = KvTransferParams::FromJson(*found);
  if (!params.ok()) return fields.Adopt(params.status());
  kv_transfer = *std::move(params);
}

void CheckCombinations(FieldReader& fields, const GenerationRequest& request) {
  const SamplingRequest& sampling = request.sampling;
  const bool first_token_only = request.kv_transfer && request.kv_transfer->ret_first_tok;
  // The sender of a prefill has put 1 in the place of the user's max_tokens.
  if (!first_token_only && sampling.max_tokens && sampling.min_tokens > *sampling.max_tokens) {
    fields.Fail("min_tokens", fmt::format("at most max_tokens, {}", *sampling.max_tokens));
  }
  if (sampling.prompt_logprobs.value_or(0) != 0 && request.stream) {
    fields.FailWith("prompt_logprobs",
                    fmt::format("prompt_logprobs is not available with \"stream\": true, got {}",
                                *sampling.prompt_logprobs));
  }
  if (request.stream && request.best_of > request.n) {
    fields.FailWith(
        "best_of",
        fmt::format("best_of above n is not available with \"stream\": true: the best are "
                    "known at the end; got {} and n {}",
                    request.best_of, request.n));
  }
  const bool hands_over = request.kv_transfer &&
                          (request.kv_transfer->ret_first_tok || request.kv_transfer->first_tok ||
                           !request.kv_transfer->resume_tokens.empty());
  if (hands_over && request.best_of > 1) {
    fields.Fail(request.n > 1 ? "n" : "best_of",
                "1 in a request whose kv_transfer_params hand over a token");
  }
}

}  // namespace

GenerationRequest ReadGeneration(FieldReader& fields, int least_max_tokens) {
  GenerationRequest request;
  fields.Read("model", request.model);
  request.sampling = ReadSampling(fields, least_max_tokens);
  ReadChoices(fields, request);
  fields.Read("stream", request.stream);
  ReadStreamOptions(fields, request);
  fields.Read("return_token_ids", request.return_token_ids);
  fields.Read("return_tokens_as_token_ids", request.return_tokens_as_token_ids);
  ReadCacheSalt(fields, request.cache_salt);
  ReadPriority(fields, request.priority);
  ReadKvTransfer(fields, request.kv_transfer);
  RefuseUnsupported(fields);
  CheckCombinations(fields, request);
  // As in vLLM, a stream may ask for none and gets none.
  if (request.stream) request.sampling.prompt_logprobs.reset();
  return request;
}

}  // namespace tandem::api

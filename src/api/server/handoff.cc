#include "api/server/handoff.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "api/schema/error.h"
#include "api/schema/field_reader.h"
#include "base/status.h"

namespace tandem::api {
namespace {

/// JSON has no infinity.
constexpr float kLeastLogprob = -9999.0f;

absl::Status CheckId(const char* field, int32_t id, int vocab_size) {
  if (id >= 0 && id < vocab_size) return absl::OkStatus();
  return FieldError(field, fmt::format("{} is token id {}; ids from 0 to {} are accepted", field,
                                       id, vocab_size - 1));
}

}  // namespace

boost::json::object FirstTokenLogprobs(const engine::TokenLogprobs& logprobs) {
  boost::json::array top;
  for (const auto& [id, logprob] : logprobs.top) {
    top.emplace_back(boost::json::array{id, std::max(logprob, kLeastLogprob)});
  }
  return {{"token", logprobs.token},
          {"logprob", std::max(logprobs.logprob, kLeastLogprob)},
          {"rank", logprobs.rank},
          {"top", std::move(top)}};
}

absl::StatusOr<engine::TokenLogprobs> ParseFirstTokenLogprobs(const boost::json::value& json) {
  constexpr char kPath[] = "kv_transfer_params.first_tok_logprobs.";
  if (!json.is_object()) {
    return FieldError("kv_transfer_params.first_tok_logprobs",
                      fmt::format("kv_transfer_params.first_tok_logprobs must be an object, got {}",
                                  Quote(json)));
  }
  FieldReader fields(json.get_object(), kPath);
  engine::TokenLogprobs logprobs;
  std::optional<float> logprob;
  fields.Read("token", logprobs.token, {.least = 0});
  fields.Read("logprob", logprob);
  fields.Read("rank", logprobs.rank, {.least = 0});
  logprobs.logprob = logprob.value_or(0);
  if (const boost::json::value* top = fields.Find("top")) {
    constexpr std::string_view kAccepted = "a list of [token id, logprob]";
    if (!top->is_array()) fields.Fail("top", kAccepted);
    for (const boost::json::value& entry :
         top->is_array() ? top->get_array() : boost::json::array()) {
      const bool pair = entry.is_array() && entry.get_array().size() == 2;
      const auto id = pair ? AsInteger(entry.get_array()[0]) : std::nullopt;
      if (!id || *id < 0 || *id > INT32_MAX || !entry.get_array()[1].is_number()) {
        fields.Fail("top", kAccepted);
        break;
      }
      logprobs.top.emplace_back(static_cast<int32_t>(*id), entry.get_array()[1].to_number<float>());
    }
  }
  RETURN_IF_ERROR(fields.status());
  return logprobs;
}

absl::Status TakeOver(const KvTransferParams& params, int vocab_size,
                      engine::EngineRequest& request) {
  request.wait_for_commit = params.ret_first_tok;
  request.committed_tokens = params.committed_tokens.value_or(-1);
  std::vector<int32_t> given = params.resume_tokens;
  if (params.first_tok) {
    RETURN_IF_ERROR(CheckId("kv_transfer_params.first_tok", *params.first_tok, vocab_size));
    if (given.empty()) {
      given.push_back(*params.first_tok);
    } else if (given.front() != *params.first_tok) {
      return FieldError(
          "kv_transfer_params.resume_tokens",
          fmt::format("kv_transfer_params.resume_tokens must begin with first_tok, {}, got {}",
                      *params.first_tok, given.front()));
    }
  }
  for (const int32_t id : given) {
    RETURN_IF_ERROR(CheckId("kv_transfer_params.resume_tokens", id, vocab_size));
    request.given.push_back({.token = id, .logprobs = std::nullopt});
  }
  request.given_already_sent = static_cast<int>(params.resume_tokens.size());
  if (params.first_tok && !params.first_tok_logprobs.is_null()) {
    ASSIGN_OR_RETURN(engine::TokenLogprobs logprobs,
                     ParseFirstTokenLogprobs(params.first_tok_logprobs));
    for (const auto& [id, logprob] : logprobs.top) {
      RETURN_IF_ERROR(CheckId("kv_transfer_params.first_tok_logprobs.top", id, vocab_size));
    }
    logprobs.token = *params.first_tok;
    request.given.front().logprobs = std::move(logprobs);
  }
  return absl::OkStatus();
}

void HandOver::Note(const engine::EngineOutput& output) {
  if (!first_token_ && !output.tokens.empty()) {
    first_token_ = output.tokens.front();
    if (!output.logprobs.empty()) first_logprobs_ = output.logprobs.front();
  }
  if (!output.finished) return;
  // "length" is the prefiller's own limit of one token, which says nothing about the request.
  if (output.reason == engine::FinishReason::kStop) finish_reason_ = "stop";
  committed_tokens_ = output.committed_tokens;
  stored_bytes_ = output.saved_bytes;
}

KvTransferParams HandOver::Params() const {
  KvTransferParams params;
  params.first_tok = first_token_;
  params.committed_tokens = committed_tokens_;
  params.cache_namespace = cache_namespace_;
  if (first_logprobs_) params.first_tok_logprobs = FirstTokenLogprobs(*first_logprobs_);
  params.first_tok_finish_reason = finish_reason_;
  params.stored_bytes = stored_bytes_;
  return params;
}

}  // namespace tandem::api

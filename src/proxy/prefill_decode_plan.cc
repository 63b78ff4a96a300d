#include "proxy/prefill_decode_plan.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "api/schema/choice_seed.h"
#include "base/json.h"

namespace tandem::proxy {
namespace {

using boost::json::object;
using boost::json::value;

constexpr int64_t kMostChoices = 1024;  // Of a prompt, and prompts.

/// A member that is there and not null.
const value* Find(const object& json, std::string_view name) {
  const value* found = json.if_contains(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::optional<int64_t> Integer(const object& json, std::string_view name) {
  const value* found = Find(json, name);
  if (found == nullptr) return std::nullopt;
  boost::json::error_code error;
  const auto number = found->to_number<int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

bool IsTrue(const object& json, std::string_view name) {
  const value* found = Find(json, name);
  return found != nullptr && found->is_bool() && found->get_bool();
}

/// A list of strings or of lists of ids; a list of ids is one prompt.
bool IsBatch(const object& body) {
  const value* prompt = Find(body, "prompt");
  if (prompt == nullptr || !prompt->is_array() || prompt->get_array().empty()) return false;
  const value& first = prompt->get_array().front();
  return first.is_string() || first.is_array();
}

int64_t Prompts(const object& body) {
  return IsBatch(body) ? static_cast<int64_t>(Find(body, "prompt")->get_array().size()) : 1;
}

bool HasPromptLogprobs(const object& body) {
  return Find(body, "prompt_logprobs") != nullptr ||
         (IsTrue(body, "echo") && Find(body, "logprobs") != nullptr);
}

}  // namespace

PrefillDecodePlan::PrefillDecodePlan(std::string body) : raw_(std::move(body)) {
  body_ = ParseObject(raw_);
  if (!body_) return;
  stream_ = IsTrue(*body_, "stream");
  if (const value* options = Find(*body_, "stream_options"); options && options->is_object()) {
    include_usage_ = IsTrue(options->get_object(), "include_usage");
    continuous_usage_ = IsTrue(options->get_object(), "continuous_usage_stats");
  }
  client_wants_token_ids_ = IsTrue(*body_, "return_token_ids");
  const int64_t n = Integer(*body_, "n").value_or(1);
  const bool best_of_more = Integer(*body_, "best_of").value_or(n) > n;
  if (n >= 1 && n <= kMostChoices && Prompts(*body_) <= kMostChoices && !best_of_more) {
    choices_of_a_prompt_ = static_cast<int>(n);
    choices_ = static_cast<int>(n * Prompts(*body_));
  }
  max_tokens_ = Integer(*body_, "max_completion_tokens");
  if (!max_tokens_) max_tokens_ = Integer(*body_, "max_tokens");
  min_tokens_ = Integer(*body_, "min_tokens").value_or(0);
  splits_ = choices_ == 1 && !IsBatch(*body_) && !HasPromptLogprobs(*body_) &&
            max_tokens_.value_or(1) > 0 && Find(*body_, "kv_transfer_params") == nullptr;
}

PrefillDecodePlan PrefillDecodePlan::Whole(std::string body) {
  PrefillDecodePlan plan;
  plan.raw_ = std::move(body);
  return plan;
}

PrefillDecodePlan PrefillDecodePlan::ForChoice(int choice) const {
  PrefillDecodePlan plan;
  object body;
  for (const auto& member : *body_) {
    if (member.key() == "n" || member.key() == "best_of") continue;
    const bool batch = member.key() == "prompt" && IsBatch(*body_);
    body[member.key()] =
        batch ? member.value().get_array()[choice / choices_of_a_prompt_] : member.value();
  }
  // As an instance seeds the choices of a prompt.
  if (const auto seed = Integer(body, "seed"); seed && *seed != api::kNoSeed) {
    body["seed"] = api::SeedOfChoice(*seed, choice % choices_of_a_prompt_);
  }
  plan.raw_ = boost::json::serialize(body);
  plan.body_ = std::move(body);
  plan.stream_ = stream_;
  plan.include_usage_ = include_usage_;
  plan.continuous_usage_ = continuous_usage_;
  plan.client_wants_token_ids_ = client_wants_token_ids_;
  plan.choices_ = 1;
  return plan;
}

std::string PrefillDecodePlan::PrefillBody() const {
  object body = *body_;
  body["max_tokens"] = 1;
  if (body.contains("max_completion_tokens")) body["max_completion_tokens"] = 1;
  if (min_tokens_ > 1) body["min_tokens"] = 1;
  body["stream"] = false;
  body.erase("stream_options");
  body["kv_transfer_params"] = object{{"ret_first_tok", true}};
  return boost::json::serialize(body);
}

bool PrefillDecodePlan::EndsWithPrefill(const object& kv_transfer_params) const {
  if (max_tokens_ == 1) return true;
  // With min_tokens the first token ends nothing, but the prefiller was told to stop after it.
  if (min_tokens_ > 1) return false;
  const value* reason = Find(kv_transfer_params, "first_tok_finish_reason");
  return reason != nullptr && reason->is_string() && !reason->get_string().empty();
}

std::string PrefillDecodePlan::DecodeBody(const object& kv_transfer_params,
                                          std::span<const int32_t> resume_tokens) const {
  if (!body_) return raw_;
  const bool ask_ids = resumable() && !client_wants_token_ids_;
  if (kv_transfer_params.empty() && resume_tokens.empty() && !ask_ids) return raw_;
  object body = *body_;
  if (ask_ids) body["return_token_ids"] = true;
  if (!kv_transfer_params.empty() || !resume_tokens.empty()) {
    const value* own = Find(*body_, "kv_transfer_params");
    object params = own != nullptr && own->is_object() ? own->get_object() : object();
    for (const auto& member : kv_transfer_params) params[member.key()] = member.value();
    // A finish reason that was not taken as the end must not reach the decoder as one.
    params.erase("first_tok_finish_reason");
    if (!resume_tokens.empty()) {
      params["resume_tokens"] = boost::json::array(resume_tokens.begin(), resume_tokens.end());
    }
    body["kv_transfer_params"] = std::move(params);
  }
  return boost::json::serialize(body);
}

std::optional<object> ParseObject(std::string_view text) {
  std::optional<value> parsed = ParseExactJson(text);
  if (!parsed || !parsed->is_object() || !IsWritable(*parsed)) return std::nullopt;
  return std::move(parsed->get_object());
}

object HandOffParams(const object& reply) {
  const value* params = reply.if_contains("kv_transfer_params");
  return params != nullptr && params->is_object() ? params->get_object() : object();
}

}  // namespace tandem::proxy

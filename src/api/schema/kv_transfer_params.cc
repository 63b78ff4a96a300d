#include "api/schema/kv_transfer_params.h"

#include <fmt/format.h>

#include <boost/json/value_from.hpp>

#include "api/schema/error.h"
#include "api/schema/field_reader.h"

namespace tandem::api {

absl::StatusOr<KvTransferParams> KvTransferParams::FromJson(const boost::json::value& json) {
  if (!json.is_object()) {
    return FieldError("kv_transfer_params",
                      fmt::format("kv_transfer_params must be an object, got {}", Quote(json)));
  }
  const Range count{.least = 0};
  KvTransferParams params;
  FieldReader fields(json.get_object(), "kv_transfer_params.");
  fields.Read("ret_first_tok", params.ret_first_tok);
  std::optional<int> first_tok;
  fields.Read("first_tok", first_tok, count);
  params.first_tok = first_tok;
  fields.Read("committed_tokens", params.committed_tokens, count);
  fields.Read("namespace", params.cache_namespace);
  fields.Read("first_tok_finish_reason", params.first_tok_finish_reason);
  fields.Read("resume_tokens", params.resume_tokens);
  fields.Read("stored_bytes", params.stored_bytes, count);
  if (const boost::json::value* logprobs = fields.Find("first_tok_logprobs")) {
    if (!logprobs->is_object()) fields.Fail("first_tok_logprobs", "an object");
    params.first_tok_logprobs = *logprobs;
  }
  if (!fields.status().ok()) return fields.status();
  return params;
}

boost::json::object KvTransferParams::ToJson() const {
  boost::json::object json;
  if (ret_first_tok) json["ret_first_tok"] = true;
  if (first_tok) json["first_tok"] = *first_tok;
  if (committed_tokens) json["committed_tokens"] = *committed_tokens;
  if (!cache_namespace.empty()) json["namespace"] = cache_namespace;
  if (!first_tok_logprobs.is_null()) json["first_tok_logprobs"] = first_tok_logprobs;
  if (!first_tok_finish_reason.empty()) json["first_tok_finish_reason"] = first_tok_finish_reason;
  if (!resume_tokens.empty()) json["resume_tokens"] = boost::json::value_from(resume_tokens);
  if (stored_bytes) json["stored_bytes"] = *stored_bytes;
  return json;
}

}  // namespace tandem::api

#include "api/schema/token_request.h"

#include <boost/json/value_from.hpp>

#include "api/schema/unsupported_fields.h"
#include "base/status.h"

namespace tandem::api {

absl::StatusOr<TokenizeRequest> TokenizeRequest::FromJson(const boost::json::object& body) {
  FieldReader fields(body);
  TokenizeRequest request;
  fields.Read("model", request.model);
  fields.Read("return_token_strs", request.return_token_strs);
  RefuseUnsupported(fields);
  if (fields.Find("messages") != nullptr) {
    request.input = ReadConversation(fields);
  } else {
    std::string prompt;
    if (fields.Find("prompt") == nullptr) fields.Fail("prompt", "a string, or messages given");
    fields.Read("prompt", prompt);
    fields.Read("add_special_tokens", request.add_special_tokens);
    request.input = std::move(prompt);
  }
  RETURN_IF_ERROR(fields.status());
  return request;
}

boost::json::object TokenizeResponse::ToJson() const {
  boost::json::object json{{"count", tokens.size()}, {"max_model_len", max_model_len}};
  json["tokens"] = boost::json::value_from(tokens);
  json["token_strs"] = token_strs ? boost::json::value_from(*token_strs) : boost::json::value();
  return json;
}

absl::StatusOr<DetokenizeRequest> DetokenizeRequest::FromJson(const boost::json::object& body) {
  FieldReader fields(body);
  DetokenizeRequest request;
  fields.Read("model", request.model);
  if (fields.Find("tokens") == nullptr) fields.Fail("tokens", "a list of token ids");
  fields.Read("tokens", request.tokens);
  RETURN_IF_ERROR(fields.status());
  return request;
}

}  // namespace tandem::api

#include <fmt/format.h>

#include "api/schema/error.h"
#include "api/schema/field_reader.h"
#include "api/schema/token_request.h"
#include "api/server/handlers.h"
#include "api/server/json_reply.h"
#include "base/status.h"

namespace tandem::api {
namespace {

absl::StatusOr<boost::json::object> Tokenize(const ApiContext& context, const std::string& body) {
  ASSIGN_OR_RETURN(const boost::json::object json, ParseObject(body));
  ASSIGN_OR_RETURN(const TokenizeRequest request, TokenizeRequest::FromJson(json));
  RETURN_IF_ERROR(context.model.CheckName(request.model));
  const model::Tokenizer& tokenizer = *context.model.tokenizer;

  TokenizeResponse response;
  response.max_model_len = context.model.max_model_len;
  if (const auto* text = std::get_if<std::string>(&request.input)) {
    response.tokens = tokenizer.Encode(*text, request.add_special_tokens);
  } else {
    const auto& conversation = std::get<Conversation>(request.input);
    ASSIGN_OR_RETURN(const std::string rendered, context.encoder.Render(conversation));
    response.tokens = tokenizer.Encode(rendered, conversation.add_special_tokens);
  }
  if (request.return_token_strs) {
    response.token_strs.emplace();
    for (const int32_t id : response.tokens) {
      response.token_strs->push_back(
          tokenizer.Decode(std::vector<int32_t>{id}, /*skip_special_tokens=*/false));
    }
  }
  return response.ToJson();
}

absl::StatusOr<boost::json::object> Detokenize(const ApiContext& context, const std::string& body) {
  ASSIGN_OR_RETURN(const boost::json::object json, ParseObject(body));
  ASSIGN_OR_RETURN(const DetokenizeRequest request, DetokenizeRequest::FromJson(json));
  RETURN_IF_ERROR(context.model.CheckName(request.model));
  const model::Tokenizer& tokenizer = *context.model.tokenizer;
  for (const int32_t id : request.tokens) {
    if (id < tokenizer.vocab_size()) continue;
    return FieldError("tokens", fmt::format("tokens has id {}; ids from 0 to {} are accepted", id,
                                            tokenizer.vocab_size() - 1));
  }
  return boost::json::object{
      {"prompt", tokenizer.Decode(request.tokens, /*skip_special_tokens=*/false)}};
}

void Answer(const absl::StatusOr<boost::json::object>& json, http::ResponseWriter& writer) {
  writer.Respond(json.ok() ? JsonReply(200, *json) : ErrorReply(json.status()));
}

}  // namespace

void HandleTokenize(ApiContext& context, const http::Request& request,
                    std::shared_ptr<http::ResponseWriter> writer) {
  Answer(Tokenize(context, request.body), *writer);
}

void HandleDetokenize(ApiContext& context, const http::Request& request,
                      std::shared_ptr<http::ResponseWriter> writer) {
  Answer(Detokenize(context, request.body), *writer);
}

}  // namespace tandem::api

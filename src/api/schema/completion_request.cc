#include "api/schema/completion_request.h"

#include <boost/json/array.hpp>
#include <optional>

#include "api/schema/unsupported_fields.h"
#include "base/status.h"

namespace tandem::api {
namespace {

/// vLLM's limit.
constexpr size_t kMaxPrompts = 1024;

constexpr std::string_view kAcceptedPrompt =
    "a string, a list of strings, a list of token ids, or a list of lists of token ids; of at most "
    "1024 prompts";

std::optional<Prompt> AsPrompt(const boost::json::value& value) {
  if (value.is_string()) return Prompt(std::string(std::string_view(value.get_string())));
  if (std::optional<std::vector<int32_t>> ids = AsTokenIds(value); ids && !ids->empty()) {
    return Prompt(*std::move(ids));
  }
  return std::nullopt;
}

void ReadPrompts(FieldReader& fields, std::vector<Prompt>& prompts) {
  const boost::json::value* found = fields.Find("prompt");
  if (found == nullptr) return fields.Fail("prompt", kAcceptedPrompt);
  if (std::optional<Prompt> single = AsPrompt(*found)) {
    prompts.push_back(*std::move(single));
    return;
  }
  if (!found->is_array() || found->get_array().empty() || found->get_array().size() > kMaxPrompts) {
    return fields.Fail("prompt", kAcceptedPrompt);
  }
  for (const boost::json::value& element : found->get_array()) {
    std::optional<Prompt> prompt = AsPrompt(element);
    if (!prompt) return fields.Fail("prompt", kAcceptedPrompt);
    prompts.push_back(*std::move(prompt));
  }
}

}  // namespace

absl::StatusOr<CompletionRequest> CompletionRequest::FromJson(const boost::json::object& body) {
  FieldReader fields(body);
  CompletionRequest request;
  ReadPrompts(fields, request.prompts);
  fields.Read("echo", request.echo);
  fields.Read("add_special_tokens", request.add_special_tokens);
  request.generation = ReadGeneration(fields, request.echo ? 0 : 1);
  RefuseUnlessEmpty(fields, "tools");
  fields.Read("logprobs", request.generation.logprobs, {.least = kAllLogprobs});
  if (request.prompts.size() > 1 && request.generation.kv_transfer) {
    fields.Fail("prompt", "a single prompt in a request with kv_transfer_params");
  }
  RETURN_IF_ERROR(fields.status());
  request.generation.ignored_fields = fields.UnreadFields();
  return request;
}

}  // namespace tandem::api

#include "api/schema/chat_request.h"

#include <fmt/format.h>

#include <optional>

#include "api/schema/chat_message.h"
#include "api/schema/tool_calls.h"
#include "base/status.h"

namespace tandem::api {
namespace {

void ReadMessages(FieldReader& fields, boost::json::array& messages) {
  const boost::json::value* found = fields.Find("messages");
  if (found == nullptr || !found->is_array() || found->get_array().empty()) {
    return fields.Fail("messages", "a list of at least one message");
  }
  for (size_t i = 0; i < found->get_array().size(); ++i) {
    absl::StatusOr<boost::json::object> message =
        ReadChatMessage(found->get_array()[i], fmt::format("messages[{}]", i));
    if (!message.ok()) return fields.Adopt(message.status());
    messages.emplace_back(*std::move(message));
  }
}

void ReadChatLogprobs(FieldReader& fields, GenerationRequest& request) {
  bool wanted = false;
  std::optional<int> top;
  fields.Read("logprobs", wanted);
  fields.Read("top_logprobs", top, {.least = kAllLogprobs});
  if (top.value_or(0) != 0 && !wanted) {
    fields.FailWith(
        "top_logprobs",
        fmt::format("top_logprobs is accepted only with \"logprobs\": true, got {}", *top));
  }
  if (wanted) request.logprobs = top.value_or(0);
}

/// The default choice is to have calls read out of the text.
void RequireToolChoiceNone(FieldReader& fields, const Conversation& conversation) {
  const boost::json::value* choice = fields.Find("tool_choice");
  if (conversation.tools.empty() || (choice != nullptr && *choice == "none")) return;
  fields.FailWith(
      "tool_choice",
      fmt::format("tool_choice {} is not supported yet with tools; \"none\" is accepted: "
                  "the tools are shown to the model, and a call is in its text",
                  choice == nullptr ? "\"auto\", the default," : Quote(*choice)));
}

}  // namespace

Conversation ReadConversation(FieldReader& fields) {
  Conversation conversation;
  ReadMessages(fields, conversation.messages);
  conversation.tools = ReadTools(fields);
  fields.Read("continue_final_message", conversation.continue_final_message);
  conversation.add_generation_prompt = !conversation.continue_final_message;
  fields.Read("add_generation_prompt", conversation.add_generation_prompt);
  if (conversation.continue_final_message && conversation.add_generation_prompt) {
    fields.FailWith("add_generation_prompt",
                    "add_generation_prompt must be false with \"continue_final_message\": true, "
                    "got true");
  }
  fields.Read("add_special_tokens", conversation.add_special_tokens);
  if (const boost::json::value* variables = fields.Find("chat_template_kwargs")) {
    if (!variables->is_object()) {
      fields.Fail("chat_template_kwargs", "an object of variables for the chat template");
    } else {
      conversation.template_variables = variables->get_object();
    }
  }
  return conversation;
}

absl::StatusOr<ChatRequest> ChatRequest::FromJson(const boost::json::object& body) {
  FieldReader fields(body);
  ChatRequest request;
  request.conversation = ReadConversation(fields);
  RequireToolChoiceNone(fields, request.conversation);
  request.generation = ReadGeneration(fields, 1);
  ReadChatLogprobs(fields, request.generation);
  fields.Read("echo", request.echo);
  RETURN_IF_ERROR(fields.status());
  request.generation.ignored_fields = fields.UnreadFields();
  return request;
}

}  // namespace tandem::api

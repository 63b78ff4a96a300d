#include "api/schema/chat_request.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "api/schema/unsupported_fields.h"
#include "base/status.h"

namespace tandem::api {
namespace {

/// The texts of a list of content parts, joined as vLLM joins them; nothing if a part is no text.
std::optional<std::string> JoinParts(const boost::json::array& parts) {
  std::string joined;
  for (const boost::json::value& part : parts) {
    if (!part.is_object()) return std::nullopt;
    const boost::json::value* type = part.get_object().if_contains("type");
    const boost::json::value* text = part.get_object().if_contains("text");
    if (type == nullptr || *type != "text" || text == nullptr || !text->is_string()) {
      return std::nullopt;
    }
    if (&part != parts.data()) joined += '\n';
    joined += std::string_view(text->get_string());
  }
  return joined;
}

absl::StatusOr<boost::json::object> ReadMessage(const boost::json::value& value,
                                                const std::string& path) {
  if (!value.is_object()) {
    return absl::InvalidArgumentError(
        fmt::format("{} must be an object, got {}", path, Quote(value)));
  }
  boost::json::object message = value.get_object();
  FieldReader fields(value.get_object(), path + ".");
  std::string role;
  fields.Read("role", role);
  if (role.empty()) fields.Fail("role", "a string such as \"user\", \"assistant\" or \"system\"");
  if (role == "tool" || role == "function") {
    fields.FailWith(
        "role",
        fmt::format(
            "{}.role: tool calls are not supported yet, got \"{}\"; any other role is accepted",
            path, role));
  }
  for (const std::string_view name : {"tool_calls", "function_call", "tool_call_id", "audio"}) {
    RefuseUnlessEmpty(fields, name);
    message.erase(name);
  }
  const boost::json::value* content = fields.Find("content");
  if (content == nullptr) {
    message["content"] = "";
    if (role != "assistant") fields.Fail("content", "a string or a list of text parts");
  } else if (content->is_array()) {
    std::optional<std::string> text = JoinParts(content->get_array());
    if (!text) fields.Fail("content", "a string or a list of {\"type\": \"text\", \"text\": ...}");
    message["content"] = text.value_or("");
  } else if (!content->is_string()) {
    fields.Fail("content", "a string or a list of text parts");
  }
  RETURN_IF_ERROR(fields.status());
  return message;
}

void ReadMessages(FieldReader& fields, boost::json::array& messages) {
  const boost::json::value* found = fields.Find("messages");
  if (found == nullptr || !found->is_array() || found->get_array().empty()) {
    return fields.Fail("messages", "a list of at least one message");
  }
  for (size_t i = 0; i < found->get_array().size(); ++i) {
    absl::StatusOr<boost::json::object> message =
        ReadMessage(found->get_array()[i], fmt::format("messages[{}]", i));
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

}  // namespace

Conversation ReadConversation(FieldReader& fields) {
  Conversation conversation;
  ReadMessages(fields, conversation.messages);
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
  request.generation = ReadGeneration(fields, 1);
  ReadChatLogprobs(fields, request.generation);
  fields.Read("echo", request.echo);
  RETURN_IF_ERROR(fields.status());
  request.generation.ignored_fields = fields.UnreadFields();
  return request;
}

}  // namespace tandem::api

#include "api/schema/chat_message.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "api/schema/field_reader.h"
#include "api/schema/tool_calls.h"
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

}  // namespace

absl::StatusOr<boost::json::object> ReadChatMessage(const boost::json::value& value,
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
  if (role == "function") {
    fields.FailWith("role",
                    fmt::format("{}.role \"function\" is not supported; results of calls are "
                                "accepted from the role \"tool\"",
                                path));
  }
  for (const std::string_view name : {"function_call", "audio"}) {
    RefuseUnlessEmpty(fields, name);
    message.erase(name);
  }
  boost::json::array calls = ReadToolCalls(fields, path + ".");
  message.erase("tool_calls");
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
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

}  // namespace tandem::api

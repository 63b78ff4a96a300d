#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "absl/status/statusor.h"
#include "api/schema/field_reader.h"
#include "api/schema/generation_request.h"

namespace tandem::api {

/// A conversation and how it is to be rendered.
struct Conversation {
  boost::json::array messages;  ///< As ReadChatMessage gives them.
  boost::json::array tools;     ///< As the client wrote them.
  bool add_generation_prompt = true;
  bool continue_final_message = false;  ///< The last message is open: the output goes on with it.
  bool add_special_tokens = false;
  boost::json::object template_variables;  ///< chat_template_kwargs
};

/// Reads `messages` and the fields beside it; errors are left in the reader.
Conversation ReadConversation(FieldReader& fields);

/// The body of POST /v1/chat/completions.
struct ChatRequest {
  GenerationRequest generation;
  Conversation conversation;
  bool echo = false;  ///< The last message stands before the output if both have one role.

  /// InvalidArgument names the field, the value and what is accepted.
  static absl::StatusOr<ChatRequest> FromJson(const boost::json::object& body);
};

}  // namespace tandem::api

#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "api/schema/chat_request.h"

namespace tandem::api {

/// The body of POST /tokenize: a prompt's text, or a conversation.
struct TokenizeRequest {
  std::string model;
  std::variant<std::string, Conversation> input;
  bool add_special_tokens = true;  ///< Of a text; a conversation says its own.
  bool return_token_strs = false;

  static absl::StatusOr<TokenizeRequest> FromJson(const boost::json::object& body);
};

/// The reply to it.
struct TokenizeResponse {
  std::vector<int32_t> tokens;
  int max_model_len = 0;
  std::optional<std::vector<std::string>> token_strs;

  boost::json::object ToJson() const;
};

/// The body of POST /detokenize.
struct DetokenizeRequest {
  std::string model;
  std::vector<int32_t> tokens;

  static absl::StatusOr<DetokenizeRequest> FromJson(const boost::json::object& body);
};

}  // namespace tandem::api

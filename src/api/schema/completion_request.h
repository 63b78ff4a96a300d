#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "api/schema/generation_request.h"

namespace tandem::api {

/// A prompt as text or as token ids.
using Prompt = std::variant<std::string, std::vector<int32_t>>;

/// The body of POST /v1/completions.
struct CompletionRequest {
  GenerationRequest generation;
  std::vector<Prompt> prompts;  ///< At least one; `n` choices each.
  bool echo = false;            ///< The prompt stands before the output.
  bool add_special_tokens = true;

  /// InvalidArgument names the field, the value and what is accepted.
  static absl::StatusOr<CompletionRequest> FromJson(const boost::json::object& body);
};

/// max_tokens of a completion that names none.
inline constexpr int kDefaultCompletionTokens = 16;

}  // namespace tandem::api

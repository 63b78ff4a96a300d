#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace tandem::http {

/// The text of OpenAI's error object, {"error": {"message", "type", "param", "code"}}. An empty
/// `param` becomes null. Bytes of `message` that are not UTF-8 are replaced.
std::string ErrorBody(std::string_view message, std::string_view type, std::string_view param,
                      int code);

/// A reply with that text, whose code is `status`.
Response ErrorResponse(int status, std::string_view message, std::string_view type,
                       std::string_view param = "");

/// The same with the type that OpenAI and vLLM give that status: BadRequestError, NotFoundError...
Response ErrorResponse(int status, std::string_view message);

}  // namespace tandem::http

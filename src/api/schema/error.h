#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tandem::api {

/// An InvalidArgument about one field of a request; ErrorBody tells the field as `param`.
absl::Status FieldError(std::string_view field, std::string_view message);

/// The HTTP status an error is answered with: 400 for a bad request, 401, 404, 499 for one whose
/// client went away, 501, 503, 504, and 500 for all else.
int HttpStatus(const absl::Status& error);

/// {"error": {"message", "type", "param", "code"}}, as OpenAI's clients and vLLM's read it.
boost::json::object ErrorBody(const absl::Status& error);

/// The same for an HTTP status of 400 or more. An empty `param` becomes null.
boost::json::object ErrorBody(int http_status, std::string_view message,
                              std::string_view param = "");

}  // namespace tandem::api

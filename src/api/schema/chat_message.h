#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace tandem::api {

/// A message as chat templates read it: {role, content, name...}, content a string (the texts of a
/// list of parts, a line each; empty where an assistant's is absent). An assistant's tool_calls
/// have their arguments as an object, which clients send as its text: so vLLM gives them to
/// templates. InvalidArgument begins with `path`, the message's place in the request.
absl::StatusOr<boost::json::object> ReadChatMessage(const boost::json::value& value,
                                                    const std::string& path);

}  // namespace tandem::api

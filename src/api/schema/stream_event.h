#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace tandem::api {

/// A server-sent event with a JSON object: "data: {...}\n\n".
std::string StreamEvent(const boost::json::object& json);

/// What ends every stream.
inline constexpr std::string_view kStreamEnd = "data: [DONE]\n\n";

}  // namespace tandem::api

#pragma once

#include <boost/json/object.hpp>

#include "absl/status/status.h"
#include "http/message.h"

namespace tandem::api {

http::Response JsonReply(int status, const boost::json::object& json);

/// The reply to a request that failed, in OpenAI's shape.
http::Response ErrorReply(const absl::Status& error);

}  // namespace tandem::api

#pragma once

#include <boost/json/value.hpp>

#include "absl/status/statusor.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// A JSON value as a template sees it. A problem if it is nested too deeply.
absl::StatusOr<Value> FromJson(const boost::json::value& json);

}  // namespace tandem::model::jinja

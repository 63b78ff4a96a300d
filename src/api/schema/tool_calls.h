#pragma once

#include <boost/json/array.hpp>

#include "api/schema/field_reader.h"

namespace tandem::api {

/// The functions of `tools` as the client wrote them; errors are left in the reader.
boost::json::array ReadTools(FieldReader& fields);

/// The tool_calls of an assistant's message, arguments as objects; errors are left in the reader,
/// with `path` before the names.
boost::json::array ReadToolCalls(FieldReader& fields, const std::string& path);

}  // namespace tandem::api

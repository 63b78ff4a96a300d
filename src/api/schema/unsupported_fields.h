#pragma once

#include <string_view>

#include "api/schema/field_reader.h"

namespace tandem::api {

/// Refuses every field that is part of the OpenAI API or of vLLM's and is not supported, unless it
/// is null or says what happens anyway ("tools": [], "response_format": {"type": "text"}). A field
/// that changes the answer is never ignored. Those that change nothing here count as read.
void RefuseUnsupported(FieldReader& fields);

/// Refuses one field unless it is absent, null, false, 0, "", [] or {}.
void RefuseUnlessEmpty(FieldReader& fields, std::string_view name);

}  // namespace tandem::api

#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/model_config.h"

namespace tandem::model {

/// The sampling defaults in the text of a generation_config.json. InvalidArgument names a field of
/// a wrong type or out of range, and what is accepted.
absl::StatusOr<GenerationDefaults> ParseGenerationConfig(std::string_view json);

}  // namespace tandem::model

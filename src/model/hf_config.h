#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/model_config.h"

namespace tandem::model {

/// What a checkpoint's config.json says.
struct HfConfig {
  ModelConfig model;
  std::vector<int32_t> eos_token_ids;
};

/// Reads the text of a config.json. InvalidArgument names the field that is missing, has a wrong
/// value, or asks for something that is computed otherwise than here, and what is accepted. A
/// sliding window limits max_positions: within it, it changes nothing.
absl::StatusOr<HfConfig> ParseHfConfig(std::string_view json);

}  // namespace tandem::model

#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/model_config.h"

namespace tandem::model {

/// The Hugging Face name of a tensor: "blk.3.attn_q.weight" gives
/// "model.layers.3.self_attn.q_proj.weight". InvalidArgument for a tensor which the architecture
/// does not have: leaving one out would compute another model.
absl::StatusOr<std::string> HuggingFaceName(std::string_view gguf_name, const ModelConfig& config);

}  // namespace tandem::model

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/model.h"

namespace tandem::model {

/// Opens a checkpoint directory as Hugging Face's libraries write it: config.json,
/// generation_config.json, tokenizer.json, tokenizer_config.json, chat_template.jinja and
/// safetensors. NotFound names a file that is missing; InvalidArgument, beginning with the path of
/// the file, the field that is wrong.
absl::StatusOr<Model> OpenHfModel(const std::string& directory);

}  // namespace tandem::model

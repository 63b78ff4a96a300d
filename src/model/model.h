#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/chat_template/chat_template.h"
#include "model/model_config.h"
#include "model/tokenizer.h"
#include "model/weight_source.h"

namespace tandem::model {

/// A checkpoint opened for serving, from a GGUF file or a checkpoint directory.
struct Model {
  ModelConfig config;
  GenerationDefaults generation;
  std::unique_ptr<WeightSource> weights;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat_template;  ///< Null if the checkpoint has none.
};

/// Opens what `name` points to: a GGUF file, a directory with one or with a checkpoint of
/// config.json and safetensors, or the name of a model in the local hub cache (HF_HOME, by default ~/.cache/huggingface). NotFound lists where it looked;
/// InvalidArgument says what is wrong in which file.
absl::StatusOr<Model> OpenModel(const std::string& name);

}  // namespace tandem::model

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compute/data_type.h"
#include "compute/ops/rope.h"

namespace tandem::model {

/// How a checkpoint's 4-bit GPTQ weights are stored.
struct GptqConfig {
  int group_size = 0;  ///< Inputs that share a scale; 0 for all of a layer's.
  /// Added to stored zero points: 1 in the checkpoint format "gptq", 0 in "gptq_v2".
  int zero_offset = 1;
};

/// What differs between decoder-only transformer models, in the terms of a checkpoint's
/// config.json.
struct ModelConfig {
  std::string architecture;  ///< config.json's model_type: "llama", "qwen2", ...
  int hidden_size = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int intermediate_size = 0;
  int vocab_size = 0;
  int max_positions = 0;
  float rms_norm_epsilon = 1e-5f;
  float rope_theta = 10000.0f;
  bool tied_embeddings = false;
  bool attention_bias = false;  ///< On q, k and v.
  bool head_norm = false;       ///< Each head of q and k is normalised before it is rotated.
  compute::RopeScaling rope_scaling;
  std::optional<GptqConfig> gptq;  ///< If linear layers may be stored so.
  /// Rows of q and k are stored for rotation of neighbouring pairs (GGUF's llama), to be put into
  /// the order that rotates element i with element i + head_dim / 2.
  bool interleaved_rope_rows = false;
  compute::DataType dtype = compute::DataType::kFloat16;  ///< The KV cache's, unless overridden.
};

/// Sampling defaults a checkpoint ships (generation_config.json); absent fields are not set there.
struct GenerationDefaults {
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  std::optional<int> max_new_tokens;  ///< Most tokens that any request may generate.
  std::vector<int32_t> eos_token_ids;
};

}  // namespace tandem::model

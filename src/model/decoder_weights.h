#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "compute/cpu_features.h"
#include "compute/ops/decode_linear.h"
#include "compute/ops/prefill_linear.h"
#include "compute/weight_matrix.h"
#include "model/model_config.h"
#include "model/weight_source.h"

namespace tandem::model {

/// A linear layer as each of the two numeric paths wants it.
struct PathLinear {
  compute::PrefillLinear prefill;
  compute::DecodeLinear decode;
};

struct LayerWeights {
  std::vector<float> attention_norm;     ///< [hidden_size]
  PathLinear qkv;                        ///< hidden_size to q, k and v one after the other.
  std::vector<float> qkv_bias;           ///< Empty if the model has none.
  std::vector<float> query_norm;         ///< [head_dim]; empty if heads are not normalised.
  std::vector<float> key_norm;           ///< [head_dim]; empty if heads are not normalised.
  PathLinear attention_output;           ///< heads * head_dim to hidden_size
  std::vector<float> feed_forward_norm;  ///< [hidden_size]
  PathLinear gate_up;                    ///< hidden_size to gate and up one after the other.
  PathLinear down;                       ///< intermediate_size to hidden_size
};

/// A decoder's weights, prepared for the CPU.
struct DecoderWeights {
  compute::CpuTarget target;
  compute::WeightMatrix embedding;  ///< [vocab_size, hidden_size], belongs to the source.
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  ///< [hidden_size]
  compute::DecodeLinear lm_head;  ///< hidden_size to vocab_size, for every row that is sampled.
};

/// NotFound names a tensor that is missing; InvalidArgument one of another shape, or a size that
/// the kernels do not take. `prefill_copy_bytes` is that of DecoderOptions.
absl::StatusOr<DecoderWeights> LoadDecoderWeights(const ModelConfig& config,
                                                  const WeightSource& source,
                                                  compute::CpuTarget target, ThreadPool& pool,
                                                  size_t prefill_copy_bytes);

}  // namespace tandem::model

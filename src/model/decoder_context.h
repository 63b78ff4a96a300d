#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "compute/ops/attention_shape.h"
#include "compute/ops/kv_write.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/rope.h"
#include "compute/thread_pool.h"
#include "compute/weight_matrix.h"
#include "model/decoder.h"
#include "model/decoder_weights.h"
#include "model/model_config.h"

namespace tandem::model {

/// Normalises each of `heads` heads, x [heads, weight.size()], in place.
inline void NormalizeHeads(const std::vector<float>& weight, int heads, float epsilon, float* x) {
  const auto head_dim = static_cast<int64_t>(weight.size());
  for (int head = 0; head < heads; ++head, x += head_dim) {
    compute::RmsNorm(x, weight.data(), head_dim, epsilon, x);
  }
}

/// What both passes of a decoder read. Owned by the decoder.
struct DecoderContext {
  const ModelConfig& config;
  const DecoderWeights& weights;
  const compute::Rope& rope;
  compute::ThreadPool& pool;

  compute::AttentionShape attention_shape() const {
    return {config.heads, config.kv_heads, config.head_dim};
  }
  int64_t query_size() const { return int64_t{config.heads} * config.head_dim; }
  int64_t kv_size() const { return int64_t{config.kv_heads} * config.head_dim; }
  int64_t qkv_size() const { return query_size() + 2 * kv_size(); }

  /// Writes the token's embedding, [hidden_size].
  void Embed(int32_t token, float* hidden) const {
    const compute::WeightMatrix& table = weights.embedding;
    compute::DequantizeRow(table.format, table.Row(token), table.columns, hidden);
  }

  /// Adds the bias to one row of q, k and v, normalises the heads of q and k if the model does,
  /// rotates them, and puts k and v into the cache.
  void FinishQkv(const LayerWeights& layer, const compute::KvView& kv, int position,
                 float* qkv) const {
    for (size_t i = 0; i < layer.qkv_bias.size(); ++i) qkv[i] += layer.qkv_bias[i];
    float* key = qkv + query_size();
    if (!layer.query_norm.empty()) {
      NormalizeHeads(layer.query_norm, config.heads, config.rms_norm_epsilon, qkv);
      NormalizeHeads(layer.key_norm, config.kv_heads, config.rms_norm_epsilon, key);
    }
    rope.Apply(position, config.heads + config.kv_heads, qkv);
    const compute::DataType dtype = kv.pool->layout().dtype;
    compute::WriteKv(dtype, key, kv_size(), kv.Find(compute::KvPart::kKey, position, 0));
    compute::WriteKv(dtype, key + kv_size(), kv_size(),
                     kv.Find(compute::KvPart::kValue, position, 0));
  }
};

}  // namespace tandem::model

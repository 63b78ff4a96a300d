#pragma once

#include <algorithm>
#include <cstdint>

#include "compute/ops/attention_shape.h"
#include "compute/ops/kv_write.h"
#include "compute/ops/rope.h"
#include "compute/thread_pool.h"
#include "compute/weight_matrix.h"
#include "model/decoder.h"
#include "model/decoder_weights.h"
#include "model/model_config.h"

namespace tandem::model {

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

  /// Adds the bias to one row of q, k and v, rotates q and k, and puts k and v into the cache.
  void FinishQkv(const LayerWeights& layer, const compute::KvView& kv, int position,
                 float* qkv) const {
    for (size_t i = 0; i < layer.qkv_bias.size(); ++i) qkv[i] += layer.qkv_bias[i];
    float* key = qkv + query_size();
    rope.Apply(position, config.heads + config.kv_heads, qkv);
    const compute::DataType dtype = kv.pool->layout().dtype;
    compute::WriteKv(dtype, key, kv_size(), kv.Find(compute::KvPart::kKey, position, 0));
    compute::WriteKv(dtype, key + kv_size(), kv_size(),
                     kv.Find(compute::KvPart::kValue, position, 0));
  }
};

}  // namespace tandem::model

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "compute/ops/add.h"
#include "compute/ops/attention_shape.h"
#include "compute/ops/kv_write.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/rope.h"
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
  ThreadPool& pool;

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

  /// Finishes one row of q, k and v: adds the bias, normalises the heads of q and k if the model
  /// does, rotates them, and puts k and v into the cache.
  void FinishQkv(const LayerWeights& layer, const compute::KvView& kv, int position,
                 float* qkv) const {
    FinishHeads(layer, kv, position, 0, config.heads + 2 * config.kv_heads, qkv);
  }

  /// The same for some of the row's heads, [first, first + count) in the order q, k and v.
  void FinishHeads(const LayerWeights& layer, const compute::KvView& kv, int position, int first,
                   int count, float* x) const {
    const int head_dim = config.head_dim, heads = config.heads, kv_heads = config.kv_heads;
    if (!layer.qkv_bias.empty()) {
      compute::AddTo(&layer.qkv_bias[first * head_dim], int64_t{count} * head_dim, x);
    }
    // Heads [from, to), if some of them are here.
    const auto with = [&](int from, int to, auto&& use) {
      from = std::max(from, first);
      to = std::min(to, first + count);
      if (from < to) use(from, to - from, x + (from - first) * head_dim);
    };
    const float epsilon = config.rms_norm_epsilon;
    if (!layer.query_norm.empty()) {
      with(0, heads,
           [&](int, int n, float* q) { NormalizeHeads(layer.query_norm, n, epsilon, q); });
      with(heads, heads + kv_heads,
           [&](int, int n, float* k) { NormalizeHeads(layer.key_norm, n, epsilon, k); });
    }
    with(0, heads + kv_heads, [&](int, int n, float* qk) { rope.Apply(position, n, qk); });
    for (const compute::KvPart part : {compute::KvPart::kKey, compute::KvPart::kValue}) {
      const int begin = heads + (part == compute::KvPart::kKey ? 0 : kv_heads);
      with(begin, begin + kv_heads, [&](int head, int n, const float* values) {
        compute::WriteKv(kv.pool->layout().dtype, values, int64_t{n} * head_dim,
                         kv.Find(part, position, head - begin));
      });
    }
  }
};

}  // namespace tandem::model

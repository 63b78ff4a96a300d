#include "model/decode_pass.h"

#include "compute/ops/add.h"
#include "compute/ops/decode_attention.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/silu_mul.h"

namespace tandem::model {

void DecodePass::Run(std::span<const BatchSegment> segments, const compute::KvPool& kv) {
  PlaceRows(segments);
  if (rows_.empty()) return;
  for (int layer = 0; layer < context_.config.layers; ++layer) RunLayer(layer, kv);
}

void DecodePass::PlaceRows(std::span<const BatchSegment> segments) {
  rows_.clear();
  row_of_partial_.clear();
  for (const BatchSegment& segment : segments) {
    for (size_t i = 0; i < segment.tokens.size(); ++i) {
      const int position = segment.first_position + static_cast<int>(i);
      const auto first_partial = static_cast<int64_t>(row_of_partial_.size());
      row_of_partial_.resize(
          first_partial + compute::KeyPartitions(position) * context_.config.kv_heads,
          static_cast<int32_t>(rows_.size()));
      rows_.push_back({&segment, position, first_partial});
    }
  }
  const ModelConfig& config = context_.config;
  const auto rows = static_cast<int64_t>(rows_.size());
  hidden_.Reserve(rows * config.hidden_size);
  normalized_.Reserve(rows * config.hidden_size);
  qkv_.Reserve(rows * context_.qkv_size());
  attended_.Reserve(rows * context_.query_size());
  gate_up_.Reserve(rows * 2 * config.intermediate_size);
  activated_.Reserve(rows * config.intermediate_size);
  partial_results_.Reserve(row_of_partial_.size() *
                           compute::DecodePartialSize(context_.attention_shape()));
  context_.pool.ParallelFor(rows, [&](int64_t row, int) {
    const BatchSegment& segment = *rows_[row].segment;
    context_.Embed(segment.tokens[rows_[row].position - segment.first_position],
                   hidden_.data() + row * config.hidden_size);
  });
}

void DecodePass::RunLayer(int layer_index, const compute::KvPool& kv) {
  const LayerWeights& layer = context_.weights.layers[layer_index];
  const auto rows = static_cast<int64_t>(rows_.size());
  Normalize(layer.attention_norm);
  layer.qkv.decode.Run(normalized_.data(), rows, qkv_.data(), quantized_, context_.pool);
  context_.pool.ParallelFor(rows, [&](int64_t row, int) {
    const compute::KvView view{&kv, layer_index, rows_[row].segment->block_table};
    context_.FinishQkv(layer, view, rows_[row].position, qkv_.data() + row * context_.qkv_size());
  });
  Attend(layer_index, kv);
  layer.attention_output.decode.Run(attended_.data(), rows, normalized_.data(), quantized_,
                                    context_.pool);
  compute::AddTo(normalized_.data(), rows * context_.config.hidden_size, hidden_.data());
  RunFeedForward(layer);
}

void DecodePass::Normalize(const std::vector<float>& weight) {
  const int64_t hidden_size = context_.config.hidden_size;
  context_.pool.ParallelFor(rows_.size(), [&](int64_t row, int) {
    compute::RmsNorm(hidden_.data() + row * hidden_size, weight.data(), hidden_size,
                     context_.config.rms_norm_epsilon, normalized_.data() + row * hidden_size);
  });
}

void DecodePass::Attend(int layer_index, const compute::KvPool& kv) {
  const compute::AttentionShape shape = context_.attention_shape();
  const int64_t partial_size = compute::DecodePartialSize(shape);
  const int64_t head_group = int64_t{shape.group()} * shape.head_dim;
  context_.pool.ParallelFor(row_of_partial_.size(), [&](int64_t index, int) {
    const int32_t row_index = row_of_partial_[index];
    const Row& row = rows_[row_index];
    const int64_t partitions = compute::KeyPartitions(row.position);
    const int kv_head = static_cast<int>((index - row.first_partial) / partitions);
    const compute::KvView view{&kv, layer_index, row.segment->block_table};
    compute::DecodeAttention(shape, view, row.position, kv_head,
                             (index - row.first_partial) % partitions,
                             qkv_.data() + row_index * context_.qkv_size() + kv_head * head_group,
                             partial_results_.data() + index * partial_size);
  });
  context_.pool.ParallelFor(rows_.size(), [&](int64_t row_index, int) {
    const Row& row = rows_[row_index];
    const int64_t partitions = compute::KeyPartitions(row.position);
    for (int kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
      compute::CombineDecodeAttention(
          shape, partitions,
          partial_results_.data() + (row.first_partial + kv_head * partitions) * partial_size,
          attended_.data() + row_index * context_.query_size() + kv_head * head_group);
    }
  });
}

void DecodePass::RunFeedForward(const LayerWeights& layer) {
  const auto rows = static_cast<int64_t>(rows_.size());
  const int64_t intermediate = context_.config.intermediate_size;
  Normalize(layer.feed_forward_norm);
  layer.gate_up.decode.Run(normalized_.data(), rows, gate_up_.data(), quantized_, context_.pool);
  context_.pool.ParallelFor(rows, [&](int64_t row, int) {
    const float* gate = gate_up_.data() + row * 2 * intermediate;
    compute::SiluMul(gate, gate + intermediate, intermediate,
                     activated_.data() + row * intermediate);
  });
  layer.down.decode.Run(activated_.data(), rows, normalized_.data(), quantized_, context_.pool);
  compute::AddTo(normalized_.data(), rows * context_.config.hidden_size, hidden_.data());
}

}  // namespace tandem::model

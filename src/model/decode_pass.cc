#include "model/decode_pass.h"

#include "compute/ops/decode_attention.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/silu_mul.h"

namespace tandem::model {
namespace {

constexpr int64_t kPartitionsPerThread = 2;

}  // namespace

void DecodePass::Run(std::span<const BatchSegment> segments, const compute::KvPool& kv) {
  PlaceRows(segments);
  if (rows_.empty()) return;
  for (int layer = 0; layer < context_.config.layers; ++layer) RunLayer(layer, kv);
}

void DecodePass::PlaceRows(std::span<const BatchSegment> segments) {
  rows_.clear();
  partitions_.clear();
  for (const BatchSegment& segment : segments) {
    for (size_t i = 0; i < segment.tokens.size(); ++i) {
      const int position = segment.first_position + static_cast<int>(i);
      const auto row = static_cast<int32_t>(rows_.size());
      rows_.push_back({&segment, position, static_cast<int64_t>(partitions_.size())});
      for (int32_t p = 0; p < compute::KeyPartitions(position); ++p)
        partitions_.push_back({row, p});
    }
  }
  const ModelConfig& config = context_.config;
  const auto rows = static_cast<int64_t>(rows_.size());
  if (missing_partials_.size() < rows_.size()) {
    missing_partials_ = std::vector<std::atomic<int32_t>>(rows_.size());
  }
  hidden_.Reserve(rows * config.hidden_size);
  qkv_.Reserve(rows * context_.qkv_size());
  gate_up_.Reserve(rows * 2 * config.intermediate_size);
  partials_.Reserve(partitions_.size() * config.kv_heads *
                    compute::DecodePartialSize(context_.attention_shape()));
  context_.pool.ParallelFor(rows, [&](int64_t row, int) {
    const BatchSegment& segment = *rows_[row].segment;
    context_.Embed(segment.tokens[rows_[row].position - segment.first_position],
                   hidden_.data() + row * config.hidden_size);
  });
}

void DecodePass::RunLayer(int layer_index, const compute::KvPool& kv) {
  using Output = compute::DecodeLinear::Output;
  const LayerWeights& layer = context_.weights.layers[layer_index];
  Normalize(layer.attention_norm, layer.qkv.decode);
  layer.qkv.decode.Run(input_, qkv_.data(), Output::kWrite, context_.pool);
  FinishQkv(layer_index, kv);
  Attend(layer_index, kv);
  layer.attention_output.decode.Run(input_, hidden_.data(), Output::kAdd, context_.pool);
  Normalize(layer.feed_forward_norm, layer.gate_up.decode);
  layer.gate_up.decode.Run(input_, gate_up_.data(), Output::kWrite, context_.pool);
  Activate(layer.down.decode);
  layer.down.decode.Run(input_, hidden_.data(), Output::kAdd, context_.pool);
}

void DecodePass::Normalize(const std::vector<float>& weight, const compute::DecodeLinear& next) {
  const int64_t hidden_size = context_.config.hidden_size;
  next.ResizeInput(static_cast<int64_t>(rows_.size()), input_);
  context_.pool.ParallelFor(rows_.size(), [&](int64_t row, int) {
    compute::RmsNorm(hidden_.data() + row * hidden_size, weight.data(), hidden_size,
                     context_.config.rms_norm_epsilon, input_.Row(row));
    next.PrepareRow(row, input_);
  });
}

void DecodePass::FinishQkv(int layer_index, const compute::KvPool& kv) {
  context_.pool.ParallelFor(rows_.size(), [&](int64_t row, int) {
    const compute::KvView view{&kv, layer_index, rows_[row].segment->block_table};
    context_.FinishQkv(context_.weights.layers[layer_index], view, rows_[row].position,
                       qkv_.data() + row * context_.qkv_size());
  });
}

void DecodePass::Attend(int layer_index, const compute::KvPool& kv) {
  const int kv_heads = context_.config.kv_heads;
  // All KV heads at once read a block in one go; few partitions are divided, so that every thread
  // has some.
  const auto partitions = static_cast<int64_t>(partitions_.size());
  const int threads = context_.pool.threads();  // Which go through the partitions side by side.
  const bool divide = partitions < kPartitionsPerThread * threads;
  const int heads_at_once = divide ? 1 : kv_heads;
  const int parts = kv_heads / heads_at_once;
  for (size_t row = 0; row < rows_.size(); ++row) {
    const int64_t count = compute::KeyPartitions(rows_[row].position) * parts;
    missing_partials_[row].store(static_cast<int32_t>(count), std::memory_order_relaxed);
  }
  const compute::DecodeLinear& next = context_.weights.layers[layer_index].attention_output.decode;
  next.ResizeInput(static_cast<int64_t>(rows_.size()), input_);
  context_.pool.ParallelFor(partitions * parts, [&](int64_t index, int) {
    const Partition& partition = partitions_[index / parts];
    AttendPartition(layer_index, kv, partition,
                    {static_cast<int>(index % parts) * heads_at_once, heads_at_once},
                    divide ? std::span<const int32_t>() : BlocksFrom(index + threads, kv));
    // Whoever finishes a row's last partial result goes on with the row.
    if (missing_partials_[partition.row].fetch_sub(1, std::memory_order_acq_rel) == 1) {
      CombinePartials(partition.row, next);
    }
  });
}

void DecodePass::AttendPartition(int layer_index, const compute::KvPool& kv,
                                 const Partition& partition, compute::KvHeadRange kv_heads,
                                 std::span<const int32_t> next_blocks) {
  const compute::AttentionShape shape = context_.attention_shape();
  const Row& row = rows_[partition.row];
  const int64_t head_group = int64_t{shape.group()} * shape.head_dim;
  const int64_t partial = (row.first_partition + partition.index) * shape.kv_heads + kv_heads.first;
  const compute::KvView view{&kv, layer_index, row.segment->block_table};
  compute::DecodeAttention(
      shape, view, row.position, kv_heads, partition.index,
      qkv_.data() + partition.row * context_.qkv_size() + kv_heads.first * head_group,
      partials_.data() + partial * compute::DecodePartialSize(shape), next_blocks);
}

std::span<const int32_t> DecodePass::BlocksFrom(int64_t partition,
                                                const compute::KvPool& kv) const {
  if (partition >= static_cast<int64_t>(partitions_.size())) return {};
  const auto& [row, index] = partitions_[partition];
  return rows_[row].segment->block_table.subspan(int64_t{index} * compute::kKeyPartition /
                                                 kv.layout().block_tokens);
}

void DecodePass::CombinePartials(int64_t row_index, const compute::DecodeLinear& next) {
  const compute::AttentionShape shape = context_.attention_shape();
  const int64_t partial_size = compute::DecodePartialSize(shape);
  const int64_t head_group = int64_t{shape.group()} * shape.head_dim;
  const Row& row = rows_[row_index];
  for (int kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
    compute::CombineDecodeAttention(
        shape, compute::KeyPartitions(row.position),
        partials_.data() + (row.first_partition * shape.kv_heads + kv_head) * partial_size,
        shape.kv_heads * partial_size, input_.Row(row_index) + kv_head * head_group);
  }
  next.PrepareRow(row_index, input_);
}

void DecodePass::Activate(const compute::DecodeLinear& next) {
  const int64_t intermediate = context_.config.intermediate_size;
  next.ResizeInput(static_cast<int64_t>(rows_.size()), input_);
  context_.pool.ParallelFor(rows_.size(), [&](int64_t row, int) {
    const float* gate = gate_up_.data() + row * 2 * intermediate;
    compute::SiluMul(gate, gate + intermediate, intermediate, input_.Row(row));
    next.PrepareRow(row, input_);
  });
}

}  // namespace tandem::model

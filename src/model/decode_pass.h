#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/ops/decode_attention.h"
#include "compute/ops/decode_linear.h"
#include "model/decoder_context.h"

namespace tandem::model {

/// Computes the generated tokens of a batch, row by row in all but the reading of the weights.
class DecodePass {
 public:
  explicit DecodePass(const DecoderContext& context) : context_(context) {}

  /// `segments` are the batch's decode segments. Writes their K and V.
  void Run(std::span<const BatchSegment> segments, const compute::KvPool& kv);

  /// The last layer's output of a row, [hidden_size]; rows count through the segments of Run.
  const float* Hidden(int64_t row) const {
    return hidden_.data() + row * context_.config.hidden_size;
  }

 private:
  struct Row {
    const BatchSegment* segment;
    int position;
    int64_t first_partition;
  };
  /// Of the keys that a row attends to.
  struct Partition {
    int32_t row;
    int32_t index;
  };

  void PlaceRows(std::span<const BatchSegment> segments);
  void RunLayer(int layer_index, const compute::KvPool& kv);
  void Normalize(const std::vector<float>& weight, const compute::DecodeLinear& next);
  void FinishQkv(int layer_index, const compute::KvPool& kv);
  void Attend(int layer_index, const compute::KvPool& kv);
  void AttendPartition(int layer_index, const compute::KvPool& kv, const Partition& partition,
                       compute::KvHeadRange kv_heads, std::span<const int32_t> next_blocks);
  /// The blocks of a partition, if there is one of that number, and of those behind it.
  std::span<const int32_t> BlocksFrom(int64_t partition, const compute::KvPool& kv) const;
  void CombinePartials(int64_t row_index, const compute::DecodeLinear& next);
  void Activate(const compute::DecodeLinear& next);

  const DecoderContext& context_;
  std::vector<Row> rows_;
  std::vector<Partition> partitions_;                   // Of all rows.
  std::vector<std::atomic<int32_t>> missing_partials_;  // Of each row, in the layer under way.

  compute::DecodeInput input_;              // Of whichever linear layer is next.
  compute::AlignedBuffer<float> hidden_;    // [rows, hidden_size]
  compute::AlignedBuffer<float> qkv_;       // [rows, qkv_size]
  compute::AlignedBuffer<float> gate_up_;   // [rows, 2 * intermediate_size]
  compute::AlignedBuffer<float> partials_;  // Of attention: [partitions, kv_heads, a head's].
};

}  // namespace tandem::model

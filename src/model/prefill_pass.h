#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/ops/prefill_attention.h"
#include "model/decoder_context.h"
#include "model/tile_program.h"

namespace tandem::model {

/// Computes the prompt tokens of a batch: rows of all segments packed into tiles of 64, which the
/// matrix products take whole, with zeros after the last row.
class PrefillPass {
 public:
  explicit PrefillPass(const DecoderContext& context);

  /// `segments` are the batch's prefill segments. Writes their K and V.
  void Run(std::span<const BatchSegment> segments, const compute::KvPool& kv);

  /// The last layer's output of a row, [hidden_size]; rows count through the segments of Run.
  const float* Hidden(int64_t row) const {
    return hidden_.data() + row * context_.config.hidden_size;
  }

 private:
  struct Row {
    const BatchSegment* segment;
    int position;
  };
  struct AttentionTask {
    const BatchSegment* segment;
    int64_t first_row;
    int first_token, tokens, kv_head;
  };

  void PlaceRows(std::span<const BatchSegment> segments);
  void AddQkvSteps(const LayerWeights& layer, int layer_index, const compute::KvPool& kv,
                   TileProgram* program);
  void AddOutputSteps(const LayerWeights& layer, TileProgram* program);
  void Attend(int layer_index, const compute::KvPool& kv);

  void NormalizeTile(const std::vector<float>& weight, int tile, int slot);
  void AddTile(int tile, int slot);

  const DecoderContext& context_;
  const compute::MatrixType type_;
  const size_t input_bytes_;  // Of one slot's matrix input.

  std::vector<Row> rows_;
  std::vector<AttentionTask> attention_tasks_;
  int tiles_ = 0;
  compute::AlignedBuffer<float> hidden_;  // [tiles * 64, hidden_size]
  compute::AlignedBuffer<float> qkv_;     // [tiles * 64, qkv_size]; attention overwrites q.

  // By slot.
  compute::AlignedBuffer<std::byte> inputs_;  // [64, widest input] of the matrix type
  compute::AlignedBuffer<float> gate_up_;     // [64, 2 * intermediate_size]
  compute::AlignedBuffer<float> projected_;   // [64, hidden_size]
  // By thread.
  std::vector<compute::PrefillAttentionScratch> attention_scratch_;
};

}  // namespace tandem::model

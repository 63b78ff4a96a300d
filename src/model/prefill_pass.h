#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/ops/prefill_attention.h"
#include "model/decoder_context.h"
#include "model/tile_program.h"

namespace tandem::model {

/// Computes the prompt tokens of a batch: rows of all segments packed into tiles of 64.
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

  /// A slot's input of the next product, `columns` wide (padded) in a row.
  std::byte* Input(const TileProgram::Tile& tile, int64_t row, int64_t columns);
  /// Rounds a row to the matrix type and pads it.
  void StoreInput(const float* values, int64_t count, std::byte* out) const;
  void Normalize(const std::vector<float>& weight, const TileProgram::Tile& tile);
  void AddToHidden(const TileProgram::Tile& tile, const compute::SlabOutputs& outputs);
  void Activate(const TileProgram::Tile& tile, const compute::SlabOutputs& outputs);

  const DecoderContext& context_;
  const compute::MatrixType type_;
  const compute::PrefillAttentionKernel attention_;
  const int64_t input_size_;  // Elements of a slot's matrix input.

  std::vector<Row> rows_;
  std::vector<AttentionTask> attention_tasks_;
  compute::AlignedBuffer<float> hidden_;  // [rows, hidden_size]
  compute::AlignedBuffer<float> qkv_;     // [rows, qkv_size]; attention overwrites q.

  // By slot, of the matrix type.
  compute::AlignedBuffer<std::byte> inputs_;       // [64, padded hidden_size or query_size]
  compute::AlignedBuffer<std::byte> activations_;  // [64, padded intermediate_size]
  // By thread.
  std::vector<compute::PrefillLinearScratch> linear_scratch_;
  std::vector<compute::PrefillAttentionScratch> attention_scratch_;
};

}  // namespace tandem::model

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

  /// A row of the attention's queries, or of its outputs.
  std::byte* Queries(int64_t row) { return queries_.data() + row * query_row_bytes_; }
  /// A slot's input of a product with hidden_size inputs.
  std::byte* Input(const TileProgram::Tile& tile, int64_t row);
  /// Rounds a row to the matrix type and pads it.
  void StoreInput(const float* values, int64_t count, std::byte* out) const;
  void Normalize(const std::vector<float>& weight, const TileProgram::Tile& tile);
  /// Of a slab's heads of q, k and v.
  void FinishHeads(const LayerWeights& layer, int layer_index, const compute::KvPool& kv,
                   const TileProgram::Tile& tile, const compute::SlabOutputs& outputs);
  void AddToHidden(const TileProgram::Tile& tile, const compute::SlabOutputs& outputs);
  void Activate(const TileProgram::Tile& tile, const compute::SlabOutputs& outputs);

  const DecoderContext& context_;
  const compute::MatrixType type_;
  const compute::PrefillAttentionKernel attention_;
  const size_t input_row_bytes_;  // Of a row of inputs_.
  const size_t query_row_bytes_;  // Of a row of queries_.

  std::vector<Row> rows_;
  std::vector<AttentionTask> attention_tasks_;
  compute::AlignedBuffer<float> hidden_;  // [rows, hidden_size]
  // Of the matrix type, [whole tiles of rows, padded query_size]; attention overwrites queries.
  compute::AlignedBuffer<std::byte> queries_;

  // By slot, of the matrix type.
  compute::AlignedBuffer<std::byte> inputs_;       // [64, padded hidden_size]
  compute::AlignedBuffer<std::byte> activations_;  // [64, padded intermediate_size]
  // By thread.
  std::vector<compute::PrefillLinearScratch> linear_scratch_;
  std::vector<compute::PrefillAttentionScratch> attention_scratch_;
};

}  // namespace tandem::model

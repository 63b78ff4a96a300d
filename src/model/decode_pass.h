#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/ops/quantize_activations.h"
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
    int64_t first_partial;  // Of the row's partial attention results, one for each KV head and
                            // partition.
  };

  void PlaceRows(std::span<const BatchSegment> segments);
  void RunLayer(int layer_index, const compute::KvPool& kv);
  void Normalize(const std::vector<float>& weight);
  void Attend(int layer_index, const compute::KvPool& kv);
  void RunFeedForward(const LayerWeights& layer);

  const DecoderContext& context_;
  std::vector<Row> rows_;
  std::vector<int32_t> row_of_partial_;

  compute::AlignedBuffer<float> hidden_;      // [rows, hidden_size]
  compute::AlignedBuffer<float> normalized_;  // [rows, hidden_size]; also what a layer adds.
  compute::AlignedBuffer<float> qkv_;         // [rows, qkv_size]
  compute::AlignedBuffer<float> attended_;    // [rows, heads * head_dim]
  compute::AlignedBuffer<float> gate_up_;     // [rows, 2 * intermediate_size]
  compute::AlignedBuffer<float> activated_;   // [rows, intermediate_size]
  compute::AlignedBuffer<float> partial_results_;
  compute::QuantizedActivations quantized_;
};

}  // namespace tandem::model

#include "model/prefill_pass.h"

#include <algorithm>

#include "compute/ops/add.h"
#include "compute/ops/matrix_kernel.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/silu_mul.h"

namespace tandem::model {
namespace {

using compute::PaddedInputs;
using compute::SlabOutputs;
using Tile = TileProgram::Tile;

constexpr int kTileRows = compute::PrefillLinear::kTileRows;

}  // namespace

PrefillPass::PrefillPass(const DecoderContext& context)
    : context_(context),
      type_(MatrixTypeFor(context.weights.target)),
      attention_(compute::FindPrefillAttention(context.weights.target)),
      input_row_bytes_(PaddedInputs(context.config.hidden_size) * SizeOf(type_)),
      query_row_bytes_(PaddedInputs(context.query_size()) * SizeOf(type_)),
      linear_scratch_(context.pool.threads()),
      attention_scratch_(context.pool.threads()) {
  const size_t slots = TileProgram::Slots(context.pool);
  const int64_t intermediate = kTileRows * PaddedInputs(context.config.intermediate_size);
  // Rows after a tile's last one are multiplied too, and had better not be NaN.
  inputs_ = compute::AlignedBuffer<std::byte>(slots * kTileRows * input_row_bytes_);
  std::fill_n(inputs_.data(), inputs_.size(), std::byte{0});
  activations_ = compute::AlignedBuffer<std::byte>(slots * intermediate * SizeOf(type_));
  std::fill_n(activations_.data(), activations_.size(), std::byte{0});
}

void PrefillPass::Run(std::span<const BatchSegment> segments, const compute::KvPool& kv) {
  PlaceRows(segments);
  if (rows_.empty()) return;
  const auto rows = static_cast<int64_t>(rows_.size());
  const std::vector<LayerWeights>& layers = context_.weights.layers;
  TileProgram first;
  AddQkvSteps(layers[0], 0, kv, &first);
  first.Run(rows, context_.pool, linear_scratch_);
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    Attend(static_cast<int>(layer), kv);
    TileProgram program;
    AddOutputSteps(layers[layer], &program);
    if (layer + 1 < layers.size()) {
      AddQkvSteps(layers[layer + 1], static_cast<int>(layer + 1), kv, &program);
    }
    program.Run(rows, context_.pool, linear_scratch_);
  }
}

void PrefillPass::PlaceRows(std::span<const BatchSegment> segments) {
  const int attention_tokens =
      compute::PrefillAttentionTileTokens(context_.attention_shape(), type_);
  rows_.clear();
  attention_tasks_.clear();
  for (const BatchSegment& segment : segments) {
    const int tokens = static_cast<int>(segment.tokens.size());
    for (int first = 0; first < tokens; first += attention_tokens) {
      for (int head = 0; head < context_.config.kv_heads; ++head) {
        attention_tasks_.push_back({&segment, static_cast<int64_t>(rows_.size()) + first, first,
                                    std::min(attention_tokens, tokens - first), head});
      }
    }
    for (int i = 0; i < tokens; ++i) rows_.push_back({&segment, segment.first_position + i});
  }
  // The longest first, so that the threads end together.
  std::stable_sort(attention_tasks_.begin(), attention_tasks_.end(),
                   [](const AttentionTask& a, const AttentionTask& b) {
                     return a.segment->first_position + a.first_token >
                            b.segment->first_position + b.first_token;
                   });

  const int64_t hidden_size = context_.config.hidden_size;
  hidden_.Reserve(rows_.size() * hidden_size);
  const auto row_count = static_cast<int64_t>(rows_.size());
  const int64_t tiles = (row_count + kTileRows - 1) / kTileRows;
  if (const size_t bytes = tiles * kTileRows * query_row_bytes_; bytes > queries_.size()) {
    queries_.Reserve(bytes);
    std::fill_n(queries_.data(), bytes, std::byte{0});
  }
  context_.pool.ParallelFor(tiles, [&](int64_t tile, int) {
    const int64_t end = std::min(row_count, (tile + 1) * kTileRows);
    for (int64_t row = tile * kTileRows; row < end; ++row) {
      const BatchSegment& segment = *rows_[row].segment;
      context_.Embed(segment.tokens[rows_[row].position - segment.first_position],
                     hidden_.data() + row * hidden_size);
    }
  });
}

std::byte* PrefillPass::Input(const Tile& tile, int64_t row) {
  return inputs_.data() + (int64_t{tile.slot} * kTileRows + row) * input_row_bytes_;
}

void PrefillPass::StoreInput(const float* values, int64_t count, std::byte* out) const {
  compute::StoreMatrixInput(type_, values, count, out);
  std::fill(out + count * SizeOf(type_), out + PaddedInputs(count) * SizeOf(type_), std::byte{0});
}

void PrefillPass::Normalize(const std::vector<float>& weight, const Tile& tile) {
  const int64_t hidden_size = context_.config.hidden_size;
  std::vector<float> normalized(hidden_size);
  for (int row = 0; row < tile.rows; ++row) {
    compute::RmsNorm(hidden_.data() + (tile.first_row + row) * hidden_size, weight.data(),
                     hidden_size, context_.config.rms_norm_epsilon, normalized.data());
    StoreInput(normalized.data(), hidden_size, Input(tile, row));
  }
}

void PrefillPass::AddToHidden(const Tile& tile, const SlabOutputs& outputs) {
  const int64_t hidden_size = context_.config.hidden_size;
  float* hidden = hidden_.data() + tile.first_row * hidden_size + outputs.first;
  for (int row = 0; row < outputs.rows; ++row) {
    compute::AddTo(outputs.y + row * outputs.stride, outputs.count, hidden + row * hidden_size);
  }
}

void PrefillPass::Activate(const Tile& tile, const SlabOutputs& outputs) {
  const int64_t columns = PaddedInputs(context_.config.intermediate_size);
  std::byte* out = activations_.data() +
                   (int64_t{tile.slot} * kTileRows * columns + outputs.first) * SizeOf(type_);
  for (int row = 0; row < outputs.rows; ++row, out += columns * SizeOf(type_)) {
    const float* gate = outputs.y + row * outputs.stride;
    compute::SiluMulInput(type_, gate, gate + outputs.count, outputs.count, out);
  }
}

void PrefillPass::FinishHeads(const LayerWeights& layer, int layer_index, const compute::KvPool& kv,
                              const Tile& tile, const SlabOutputs& outputs) {
  const int head_dim = context_.config.head_dim;
  const int first = static_cast<int>(outputs.first) / head_dim;
  const int count = static_cast<int>(outputs.count) / head_dim;
  const int queries = std::clamp(context_.config.heads - first, 0, count);
  for (int i = 0; i < outputs.rows; ++i) {
    const Row& row = rows_[tile.first_row + i];
    float* x = outputs.y + i * outputs.stride;
    context_.FinishHeads(layer, {&kv, layer_index, row.segment->block_table}, row.position, first,
                         count, x);
    compute::StoreMatrixInput(type_, x, int64_t{queries} * head_dim,
                              Queries(tile.first_row + i) + outputs.first * SizeOf(type_));
  }
}

void PrefillPass::AddQkvSteps(const LayerWeights& layer, int layer_index, const compute::KvPool& kv,
                              TileProgram* program) {
  program->AddRows([this, &layer](const Tile& tile) { Normalize(layer.attention_norm, tile); });
  program->AddLinear(
      layer.qkv.prefill, [this](const Tile& tile) { return Input(tile, 0); },
      [this, &layer, layer_index, &kv](const Tile& tile, const SlabOutputs& outputs) {
        FinishHeads(layer, layer_index, kv, tile, outputs);
      });
}

void PrefillPass::Attend(int layer_index, const compute::KvPool& kv) {
  const compute::AttentionShape shape = context_.attention_shape();
  const auto stride = static_cast<int64_t>(query_row_bytes_ / SizeOf(type_));
  const size_t group_bytes = size_t{1} * shape.group() * shape.head_dim * SizeOf(type_);
  context_.pool.ParallelFor(attention_tasks_.size(), [&](int64_t index, int thread) {
    const AttentionTask& task = attention_tasks_[index];
    std::byte* queries = Queries(task.first_row) + task.kv_head * group_bytes;
    const compute::PrefillAttentionTile tile{
        queries,     queries,     stride,
        stride,      task.tokens, task.segment->first_position + task.first_token,
        task.kv_head};
    attention_(shape, {&kv, layer_index, task.segment->block_table}, tile,
               attention_scratch_[thread]);
  });
}

void PrefillPass::AddOutputSteps(const LayerWeights& layer, TileProgram* program) {
  const auto add_to_hidden = [this](const Tile& tile, const SlabOutputs& outputs) {
    AddToHidden(tile, outputs);
  };

  program->AddLinear(
      layer.attention_output.prefill, [this](const Tile& tile) { return Queries(tile.first_row); },
      add_to_hidden);
  program->AddRows([this, &layer](const Tile& tile) { Normalize(layer.feed_forward_norm, tile); });
  program->AddLinear(
      layer.gate_up.prefill, [this](const Tile& tile) { return Input(tile, 0); },
      [this](const Tile& tile, const SlabOutputs& outputs) { Activate(tile, outputs); });
  program->AddLinear(
      layer.down.prefill,
      [this](const Tile& tile) {
        return activations_.data() + int64_t{tile.slot} * kTileRows *
                                         PaddedInputs(context_.config.intermediate_size) *
                                         SizeOf(type_);
      },
      add_to_hidden);
}

}  // namespace tandem::model

#include "model/prefill_pass.h"

#include <algorithm>

#include "compute/ops/add.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/silu_mul.h"

namespace tandem::model {
namespace {

constexpr int kTileRows = compute::PrefillLinear::kTileRows;

compute::MatrixType InputType(const DecoderContext& context) {
  return context.weights.layers.front().qkv.prefill.input_type();
}

}  // namespace

PrefillPass::PrefillPass(const DecoderContext& context)
    : context_(context),
      type_(InputType(context)),
      input_bytes_(kTileRows * SizeOf(type_) *
                   std::max<int64_t>({context.config.hidden_size, context.query_size(),
                                      context.config.intermediate_size})),
      attention_scratch_(context.pool.threads()) {
  const int64_t slot_rows = int64_t{TileProgram::Slots(context.pool)} * kTileRows;
  inputs_ = compute::AlignedBuffer<std::byte>(TileProgram::Slots(context.pool) * input_bytes_);
  gate_up_ = compute::AlignedBuffer<float>(slot_rows * 2 * context.config.intermediate_size);
  projected_ = compute::AlignedBuffer<float>(slot_rows * context.config.hidden_size);
}

void PrefillPass::Run(std::span<const BatchSegment> segments, const compute::KvPool& kv) {
  PlaceRows(segments);
  if (tiles_ == 0) return;
  const std::vector<LayerWeights>& layers = context_.weights.layers;
  TileProgram first;
  AddQkvSteps(layers[0], 0, kv, &first);
  first.Run(tiles_, context_.pool);
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    Attend(static_cast<int>(layer), kv);
    TileProgram program;
    AddOutputSteps(layers[layer], &program);
    if (layer + 1 < layers.size()) {
      AddQkvSteps(layers[layer + 1], static_cast<int>(layer + 1), kv, &program);
    }
    program.Run(tiles_, context_.pool);
  }
}

void PrefillPass::PlaceRows(std::span<const BatchSegment> segments) {
  const int attention_tokens = compute::PrefillAttentionTileTokens(context_.attention_shape());
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
  const auto row_count = static_cast<int64_t>(rows_.size());
  tiles_ = static_cast<int>((row_count + kTileRows - 1) / kTileRows);
  hidden_.Reserve(tiles_ * kTileRows * hidden_size);
  qkv_.Reserve(tiles_ * kTileRows * context_.qkv_size());
  context_.pool.ParallelFor(tiles_, [&](int64_t tile, int) {
    for (int64_t row = tile * kTileRows; row < (tile + 1) * kTileRows; ++row) {
      float* hidden = hidden_.data() + row * hidden_size;
      if (row >= row_count) {
        std::fill_n(hidden, hidden_size, 0.0f);
        continue;
      }
      const BatchSegment& segment = *rows_[row].segment;
      context_.Embed(segment.tokens[rows_[row].position - segment.first_position], hidden);
    }
  });
}

void PrefillPass::NormalizeTile(const std::vector<float>& weight, int tile, int slot) {
  const int64_t hidden_size = context_.config.hidden_size;
  float* normalized = projected_.data() + slot * kTileRows * hidden_size;
  const float* hidden = hidden_.data() + tile * kTileRows * hidden_size;
  for (int row = 0; row < kTileRows; ++row) {
    compute::RmsNorm(hidden + row * hidden_size, weight.data(), hidden_size,
                     context_.config.rms_norm_epsilon, normalized + row * hidden_size);
  }
  compute::StoreMatrixInput(type_, normalized, kTileRows * hidden_size,
                            inputs_.data() + slot * input_bytes_);
}

void PrefillPass::AddTile(int tile, int slot) {
  const int64_t count = kTileRows * int64_t{context_.config.hidden_size};
  compute::AddTo(projected_.data() + slot * count, count, hidden_.data() + tile * count);
}

void PrefillPass::AddQkvSteps(const LayerWeights& layer, int layer_index, const compute::KvPool& kv,
                              TileProgram* program) {
  const int64_t qkv_size = context_.qkv_size();
  program->AddRows(
      [this, &layer](int tile, int slot) { NormalizeTile(layer.attention_norm, tile, slot); });
  program->AddLinear(
      layer.qkv.prefill, [this](int, int slot) { return inputs_.data() + slot * input_bytes_; },
      [this, qkv_size](int tile, int) { return qkv_.data() + tile * kTileRows * qkv_size; });
  program->AddRows([this, &layer, layer_index, &kv, qkv_size](int tile, int) {
    const int64_t end = std::min<int64_t>(rows_.size(), int64_t{tile + 1} * kTileRows);
    for (int64_t row = int64_t{tile} * kTileRows; row < end; ++row) {
      const compute::KvView view{&kv, layer_index, rows_[row].segment->block_table};
      context_.FinishQkv(layer, view, rows_[row].position, qkv_.data() + row * qkv_size);
    }
  });
}

void PrefillPass::Attend(int layer_index, const compute::KvPool& kv) {
  const int64_t qkv_size = context_.qkv_size();
  const compute::AttentionShape shape = context_.attention_shape();
  context_.pool.ParallelFor(attention_tasks_.size(), [&](int64_t index, int thread) {
    const AttentionTask& task = attention_tasks_[index];
    float* queries = qkv_.data() + task.first_row * qkv_size +
                     int64_t{task.kv_head} * shape.group() * shape.head_dim;
    const compute::PrefillAttentionTile tile{
        queries,     queries,     qkv_size,
        qkv_size,    task.tokens, task.segment->first_position + task.first_token,
        task.kv_head};
    compute::PrefillAttention(shape, {&kv, layer_index, task.segment->block_table}, tile,
                              attention_scratch_[thread]);
  });
}

void PrefillPass::AddOutputSteps(const LayerWeights& layer, TileProgram* program) {
  const int64_t qkv_size = context_.qkv_size(), query_size = context_.query_size();
  const int64_t hidden_size = context_.config.hidden_size;
  const int64_t intermediate = context_.config.intermediate_size;
  const auto input = [this](int, int slot) { return inputs_.data() + slot * input_bytes_; };
  const auto projected = [this, hidden_size](int, int slot) {
    return projected_.data() + slot * kTileRows * hidden_size;
  };
  const auto gate_up = [this, intermediate](int, int slot) {
    return gate_up_.data() + slot * kTileRows * 2 * intermediate;
  };

  program->AddRows([this, qkv_size, query_size](int tile, int slot) {
    std::byte* out = inputs_.data() + slot * input_bytes_;
    for (int64_t row = 0; row < kTileRows; ++row, out += query_size * SizeOf(type_)) {
      compute::StoreMatrixInput(type_, qkv_.data() + (tile * kTileRows + row) * qkv_size,
                                query_size, out);
    }
  });
  program->AddLinear(layer.attention_output.prefill, input, projected);
  program->AddRows([this, &layer](int tile, int slot) {
    AddTile(tile, slot);
    NormalizeTile(layer.feed_forward_norm, tile, slot);
  });
  program->AddLinear(layer.gate_up.prefill, input, gate_up);
  program->AddRows([this, gate_up, intermediate](int tile, int slot) {
    std::byte* out = inputs_.data() + slot * input_bytes_;
    float* gate = gate_up(tile, slot);
    for (int row = 0; row < kTileRows; ++row, gate += 2 * intermediate) {
      compute::SiluMul(gate, gate + intermediate, intermediate, gate);
      compute::StoreMatrixInput(type_, gate, intermediate, out);
      out += intermediate * SizeOf(type_);
    }
  });
  program->AddLinear(layer.down.prefill, input, projected);
  program->AddRows([this](int tile, int slot) { AddTile(tile, slot); });
}

}  // namespace tandem::model

#include "model/decoder_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "compute/cpu_features.h"
#include "compute/ops/rms_norm.h"

namespace tandem::model {
namespace {

constexpr int64_t kLogitChunkRows = 64;
constexpr int kHeadDimMultiple = 16;

absl::Status Positive(int value, std::string_view name) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} is {}, expected at least 1", name, value));
}

absl::Status CheckConfig(const ModelConfig& config) {
  RETURN_IF_ERROR(Positive(config.layers, "the number of layers"));
  RETURN_IF_ERROR(Positive(config.heads, "the number of heads"));
  RETURN_IF_ERROR(Positive(config.kv_heads, "the number of KV heads"));
  RETURN_IF_ERROR(Positive(config.hidden_size, "the hidden size"));
  RETURN_IF_ERROR(Positive(config.intermediate_size, "the intermediate size"));
  RETURN_IF_ERROR(Positive(config.vocab_size, "the vocabulary size"));
  RETURN_IF_ERROR(Positive(config.max_positions, "the number of positions"));
  if (config.heads % config.kv_heads != 0) {
    return absl::InvalidArgumentError(
        fmt::format("the number of heads, {}, is not a multiple of the number of KV heads, {}",
                    config.heads, config.kv_heads));
  }
  if (config.head_dim <= 0 || config.head_dim % kHeadDimMultiple != 0) {
    return absl::InvalidArgumentError(fmt::format(
        "the head dimension is {}, expected a multiple of {}", config.head_dim, kHeadDimMultiple));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Load(const ModelConfig& config,
                                                       const WeightSource& weights, int threads,
                                                       const DecoderOptions& options) {
  RETURN_IF_ERROR(CheckConfig(config));
  RETURN_IF_ERROR(Positive(threads, "the number of threads"));
  ASSIGN_OR_RETURN(const compute::CpuTarget target, compute::SelectCpuTarget());
  auto pool = std::make_unique<ThreadPool>(threads);
  ASSIGN_OR_RETURN(DecoderWeights prepared,
                   LoadDecoderWeights(config, weights, target, *pool, options.prefill_copy_bytes));
  return std::make_unique<DecoderGraph>(config, std::move(prepared), std::move(pool));
}

DecoderGraph::DecoderGraph(const ModelConfig& config, DecoderWeights weights,
                           std::unique_ptr<ThreadPool> pool)
    : config_(config),
      weights_(std::move(weights)),
      pool_(std::move(pool)),
      rope_(config.max_positions, config.head_dim, config.rope_theta, config.rope_scaling),
      context_{config_, weights_, rope_, *pool_},
      prefill_(context_),
      decode_(context_) {}

Logits DecoderGraph::Forward(std::span<const BatchSegment> batch, const compute::KvPool& kv) {
  prefill_segments_.clear();
  decode_segments_.clear();
  for (const BatchSegment& segment : batch) {
    (segment.path == TokenPath::kPrefill ? prefill_segments_ : decode_segments_).push_back(segment);
  }
  prefill_.Run(prefill_segments_, kv);
  decode_.Run(decode_segments_, kv);
  CollectLogitRows(batch);
  ComputeLogits();
  return {logits_.data(), static_cast<int>(logit_rows_.size()), config_.vocab_size};
}

void DecoderGraph::CollectLogitRows(std::span<const BatchSegment> batch) {
  logit_rows_.clear();
  int64_t next_prefill = 0, next_decode = 0;
  for (const BatchSegment& segment : batch) {
    const bool is_prefill = segment.path == TokenPath::kPrefill;
    int64_t& next = is_prefill ? next_prefill : next_decode;
    const int64_t end = next + static_cast<int64_t>(segment.tokens.size());
    int64_t row = end;
    if (segment.logits == LogitRows::kAll) row = next;
    if (segment.logits == LogitRows::kLast) row = std::max(next, end - 1);
    for (; row < end; ++row) {
      logit_rows_.push_back(is_prefill ? prefill_.Hidden(row) : decode_.Hidden(row));
    }
    next = end;
  }
}

void DecoderGraph::ComputeLogits() {
  const int64_t hidden_size = config_.hidden_size;
  const auto rows = static_cast<int64_t>(logit_rows_.size());
  logits_.Reserve(rows * config_.vocab_size);
  for (int64_t first = 0; first < rows; first += kLogitChunkRows) {
    const int64_t count = std::min(kLogitChunkRows, rows - first);
    weights_.lm_head.ResizeInput(count, normalized_);
    pool_->ParallelFor(count, [&](int64_t row, int) {
      compute::RmsNorm(logit_rows_[first + row], weights_.final_norm.data(), hidden_size,
                       config_.rms_norm_epsilon, normalized_.Row(row));
      weights_.lm_head.PrepareRow(row, normalized_);
    });
    weights_.lm_head.Run(normalized_, logits_.data() + first * config_.vocab_size,
                         compute::DecodeLinear::Output::kWrite, *pool_);
  }
}

}  // namespace tandem::model

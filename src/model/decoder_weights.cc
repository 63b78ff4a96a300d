#include "model/decoder_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/log.h"
#include "base/status.h"
#include "model/gptq.h"
#include "model/loading_progress.h"

namespace tandem::model {
namespace {

using compute::WeightFormat;
using compute::WeightMatrix;

WeightFormat FormatOf(WeightType type) {
  switch (type) {
    case WeightType::kF32:
    case WeightType::kI32:  // Refused before.
      return WeightFormat::kFloat32;
    case WeightType::kF16:
      return WeightFormat::kFloat16;
    case WeightType::kBF16:
      return WeightFormat::kBFloat16;
    case WeightType::kQ4_0:
      return WeightFormat::kQ4_0;
    case WeightType::kQ4_1:
      return WeightFormat::kQ4_1;
    case WeightType::kQ8_0:
      return WeightFormat::kQ8_0;
    case WeightType::kQ4_K:
      return WeightFormat::kQ4_K;
    case WeightType::kQ5_K:
      return WeightFormat::kQ5_K;
    case WeightType::kQ6_K:
      return WeightFormat::kQ6_K;
  }
  return WeightFormat::kFloat32;
}

/// Where each output of a projection stands if its rows are stored for the rotation of neighbouring
/// pairs: element i + j * head_dim / 2 of a head is row 2 * i + j.
std::vector<int32_t> InterleavedRowOrder(int heads, int head_dim) {
  std::vector<int32_t> order;
  order.reserve(size_t{1} * heads * head_dim);
  for (int head = 0; head < heads; ++head) {
    for (int j = 0; j < 2; ++j) {
      for (int i = 0; i < head_dim / 2; ++i) order.push_back(head * head_dim + 2 * i + j);
    }
  }
  return order;
}

class Loader {
 public:
  Loader(const ModelConfig& config, const WeightSource& source, compute::CpuTarget target,
         ThreadPool& pool, size_t prefill_copy_bytes)
      : config_(config),
        source_(source),
        target_(target),
        pool_(pool),
        keep_prefill_copy_(PrefillCopyBytes() <= prefill_copy_bytes) {
    if (config.interleaved_rope_rows) {
      query_order_ = InterleavedRowOrder(config.heads, config.head_dim);
      key_order_ = InterleavedRowOrder(config.kv_heads, config.head_dim);
    }
  }

  absl::StatusOr<DecoderWeights> Load() const {
    const int64_t hidden = config_.hidden_size, vocab = config_.vocab_size;
    ASSIGN_OR_RETURN(WeightMatrix embedding, Matrix("model.embed_tokens.weight", vocab, hidden));
    WeightMatrix head = embedding;
    if (!config_.tied_embeddings) {
      ASSIGN_OR_RETURN(head, Matrix("lm_head.weight", vocab, hidden));
    }
    std::vector<LayerWeights> layers;
    LoadingProgress progress(config_.layers);
    for (int layer = 0; layer < config_.layers; ++layer) {
      ASSIGN_OR_RETURN(LayerWeights weights, Layer(fmt::format("model.layers.{}.", layer)));
      layers.push_back(std::move(weights));
      source_.DropPages();
      progress.Reached(layer + 1);
    }
    ASSIGN_OR_RETURN(std::vector<float> norm, Vector("model.norm.weight", hidden, {}));
    return DecoderWeights{target_, embedding, std::move(layers), std::move(norm), LmHead(head)};
  }

 private:
  compute::DecodeLinear LmHead(const WeightMatrix& matrix) const {
    compute::DecodeLinear head(std::array{matrix}, target_, pool_);
    source_.DropPages();
    return head;
  }

  absl::StatusOr<LayerWeights> Layer(const std::string& prefix) const {
    const std::string attention = prefix + "self_attn.", feed_forward = prefix + "mlp.";
    const int64_t hidden = config_.hidden_size, intermediate = config_.intermediate_size;
    const int64_t q_size = int64_t{config_.heads} * config_.head_dim;
    const int64_t kv_size = int64_t{config_.kv_heads} * config_.head_dim;

    std::deque<GptqWeight> gptq;  // What the matrices refer to until they are laid out.
    ASSIGN_OR_RETURN(WeightMatrix q, LinearMatrix(attention + "q_proj", q_size, hidden, gptq));
    ASSIGN_OR_RETURN(WeightMatrix k, LinearMatrix(attention + "k_proj", kv_size, hidden, gptq));
    ASSIGN_OR_RETURN(WeightMatrix v, LinearMatrix(attention + "v_proj", kv_size, hidden, gptq));
    ASSIGN_OR_RETURN(WeightMatrix o, LinearMatrix(attention + "o_proj", hidden, q_size, gptq));
    ASSIGN_OR_RETURN(WeightMatrix gate,
                     LinearMatrix(feed_forward + "gate_proj", intermediate, hidden, gptq));
    ASSIGN_OR_RETURN(WeightMatrix up,
                     LinearMatrix(feed_forward + "up_proj", intermediate, hidden, gptq));
    ASSIGN_OR_RETURN(WeightMatrix down,
                     LinearMatrix(feed_forward + "down_proj", hidden, intermediate, gptq));
    for (const std::string& layer : {attention + "o_proj", feed_forward + "gate_proj",
                                     feed_forward + "up_proj", feed_forward + "down_proj"}) {
      RETURN_IF_ERROR(RefuseBias(layer + ".bias"));
    }
    q.row_order = query_order_;
    k.row_order = key_order_;

    ASSIGN_OR_RETURN(std::vector<float> attention_norm,
                     Vector(prefix + "input_layernorm.weight", hidden, {}));
    ASSIGN_OR_RETURN(std::vector<float> feed_forward_norm,
                     Vector(prefix + "post_attention_layernorm.weight", hidden, {}));
    ASSIGN_OR_RETURN(std::vector<float> bias, Bias(attention, q_size, kv_size));
    std::vector<float> query_norm, key_norm;
    if (config_.head_norm) {
      ASSIGN_OR_RETURN(query_norm, Vector(attention + "q_norm.weight", config_.head_dim, {}));
      ASSIGN_OR_RETURN(key_norm, Vector(attention + "k_norm.weight", config_.head_dim, {}));
    }
    ASSIGN_OR_RETURN(PathLinear qkv, Linear(std::array{q, k, v}, false, config_.head_dim));
    ASSIGN_OR_RETURN(PathLinear output, Linear(std::array{o}));
    ASSIGN_OR_RETURN(PathLinear gate_up, Linear(std::array{gate, up}, true));
    ASSIGN_OR_RETURN(PathLinear down_linear, Linear(std::array{down}));
    return LayerWeights{.attention_norm = std::move(attention_norm),
                        .qkv = std::move(qkv),
                        .qkv_bias = std::move(bias),
                        .query_norm = std::move(query_norm),
                        .key_norm = std::move(key_norm),
                        .attention_output = std::move(output),
                        .feed_forward_norm = std::move(feed_forward_norm),
                        .gate_up = std::move(gate_up),
                        .down = std::move(down_linear)};
  }

  /// The weight of a linear layer, as it stands or in GPTQ's form, which is then kept in `gptq`.
  absl::StatusOr<WeightMatrix> LinearMatrix(const std::string& layer, int64_t rows, int64_t columns,
                                            std::deque<GptqWeight>& gptq) const {
    if (!config_.gptq || !absl::IsNotFound(source_.Find(layer + ".weight").status())) {
      return Matrix(layer + ".weight", rows, columns);
    }
    ASSIGN_OR_RETURN(GptqWeight found,
                     FindGptqWeight(source_, layer, rows, columns, *config_.gptq));
    GptqWeight& weight = gptq.emplace_back(std::move(found));
    weight.matrix.column_order = weight.column_order;
    return WeightMatrix{.format = WeightFormat::kGptqInt4,
                        .rows = rows,
                        .columns = columns,
                        .gptq = &weight.matrix};
  }

  /// GPTQ's checkpoints hold biases of zeros for layers that have none.
  absl::Status RefuseBias(const std::string& name) const {
    const auto view = source_.Find(name);
    if (absl::IsNotFound(view.status())) return absl::OkStatus();
    RETURN_IF_ERROR(view.status());
    ASSIGN_OR_RETURN(const std::vector<float> bias, Vector(name, view->columns, {}));
    if (std::all_of(bias.begin(), bias.end(), [](float value) { return value == 0.0f; })) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        fmt::format("tensor {} has elements that are not 0; accepted: no bias there", name));
  }

  absl::StatusOr<PathLinear> Linear(std::span<const WeightMatrix> parts, bool paired = false,
                                    int64_t slab_multiple = 1) const {
    compute::DecodeLinear decode(parts, target_, pool_);
    ASSIGN_OR_RETURN(
        compute::PrefillLinear prefill,
        compute::PrefillLinear::Create(
            decode.weights(), {target_, paired, keep_prefill_copy_, slab_multiple}, pool_));
    return PathLinear{std::move(prefill), std::move(decode)};
  }

  size_t PrefillCopyBytes() const {
    const size_t hidden = config_.hidden_size;
    const size_t heads = 2 * config_.heads + 2 * config_.kv_heads;
    const size_t layer = hidden * heads * config_.head_dim + 3 * hidden * config_.intermediate_size;
    return config_.layers * layer * SizeOf(compute::MatrixTypeFor(target_));
  }

  absl::StatusOr<std::vector<float>> Bias(const std::string& attention, int64_t q_size,
                                          int64_t kv_size) const {
    std::vector<float> bias;
    if (!config_.attention_bias) return bias;
    ASSIGN_OR_RETURN(bias, Vector(attention + "q_proj.bias", q_size, query_order_));
    ASSIGN_OR_RETURN(std::vector<float> k, Vector(attention + "k_proj.bias", kv_size, key_order_));
    ASSIGN_OR_RETURN(std::vector<float> v, Vector(attention + "v_proj.bias", kv_size, {}));
    bias.insert(bias.end(), k.begin(), k.end());
    bias.insert(bias.end(), v.begin(), v.end());
    return bias;
  }

  absl::StatusOr<WeightMatrix> Matrix(const std::string& name, int64_t rows,
                                      int64_t columns) const {
    ASSIGN_OR_RETURN(WeightView view, source_.Find(name));
    if (view.rows != rows || view.columns != columns) {
      return absl::InvalidArgumentError(
          fmt::format("tensor {} has shape [{}, {}], expected [{}, {}]", name, view.rows,
                      view.columns, rows, columns));
    }
    if (view.type == WeightType::kI32) {
      return absl::InvalidArgumentError(
          fmt::format("tensor {} has dtype I32; accepted: F32, F16, BF16", name));
    }
    const WeightMatrix matrix{FormatOf(view.type), rows, columns, view.bytes.data()};
    if (columns % BlockElements(matrix.format) != 0) {
      return absl::InvalidArgumentError(
          fmt::format("tensor {} is quantised in blocks of {}, but has {} columns", name,
                      BlockElements(matrix.format), columns));
    }
    if (view.bytes.size() < rows * matrix.row_bytes()) {
      return absl::InvalidArgumentError(fmt::format("tensor {} has {} bytes, expected {}", name,
                                                    view.bytes.size(), rows * matrix.row_bytes()));
    }
    return matrix;
  }

  absl::StatusOr<std::vector<float>> Vector(const std::string& name, int64_t size,
                                            std::span<const int32_t> order) const {
    ASSIGN_OR_RETURN(WeightMatrix matrix, Matrix(name, 1, size));
    std::vector<float> stored(size), values(size);
    DequantizeRow(matrix.format, matrix.data, size, stored.data());
    if (order.empty()) return stored;
    for (int64_t i = 0; i < size; ++i) values[i] = stored[order[i]];
    return values;
  }

  const ModelConfig& config_;
  const WeightSource& source_;
  const compute::CpuTarget target_;
  ThreadPool& pool_;
  const bool keep_prefill_copy_;
  std::vector<int32_t> query_order_, key_order_;
};

}  // namespace

absl::StatusOr<DecoderWeights> LoadDecoderWeights(const ModelConfig& config,
                                                  const WeightSource& source,
                                                  compute::CpuTarget target, ThreadPool& pool,
                                                  size_t prefill_copy_bytes) {
  return Loader(config, source, target, pool, prefill_copy_bytes).Load();
}

}  // namespace tandem::model

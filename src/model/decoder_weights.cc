#include "model/decoder_weights.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"

namespace tandem::model {
namespace {

using compute::WeightFormat;
using compute::WeightMatrix;

WeightFormat FormatOf(WeightType type) {
  switch (type) {
    case WeightType::kF32:
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
         compute::ThreadPool& pool)
      : config_(config), source_(source), target_(target), pool_(pool) {
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
    for (int layer = 0; layer < config_.layers; ++layer) {
      ASSIGN_OR_RETURN(LayerWeights weights, Layer(fmt::format("model.layers.{}.", layer)));
      layers.push_back(std::move(weights));
    }
    ASSIGN_OR_RETURN(std::vector<float> norm, Vector("model.norm.weight", hidden, {}));
    return DecoderWeights{embedding, std::move(layers), std::move(norm),
                          compute::DecodeLinear(std::array{head}, target_, pool_)};
  }

 private:
  absl::StatusOr<LayerWeights> Layer(const std::string& prefix) const {
    const std::string attention = prefix + "self_attn.", feed_forward = prefix + "mlp.";
    const int64_t hidden = config_.hidden_size, intermediate = config_.intermediate_size;
    const int64_t q_size = int64_t{config_.heads} * config_.head_dim;
    const int64_t kv_size = int64_t{config_.kv_heads} * config_.head_dim;

    ASSIGN_OR_RETURN(WeightMatrix q, Matrix(attention + "q_proj.weight", q_size, hidden));
    ASSIGN_OR_RETURN(WeightMatrix k, Matrix(attention + "k_proj.weight", kv_size, hidden));
    ASSIGN_OR_RETURN(WeightMatrix v, Matrix(attention + "v_proj.weight", kv_size, hidden));
    ASSIGN_OR_RETURN(WeightMatrix o, Matrix(attention + "o_proj.weight", hidden, q_size));
    ASSIGN_OR_RETURN(WeightMatrix gate,
                     Matrix(feed_forward + "gate_proj.weight", intermediate, hidden));
    ASSIGN_OR_RETURN(WeightMatrix up,
                     Matrix(feed_forward + "up_proj.weight", intermediate, hidden));
    ASSIGN_OR_RETURN(WeightMatrix down,
                     Matrix(feed_forward + "down_proj.weight", hidden, intermediate));
    q.row_order = query_order_;
    k.row_order = key_order_;

    ASSIGN_OR_RETURN(std::vector<float> attention_norm,
                     Vector(prefix + "input_layernorm.weight", hidden, {}));
    ASSIGN_OR_RETURN(std::vector<float> feed_forward_norm,
                     Vector(prefix + "post_attention_layernorm.weight", hidden, {}));
    ASSIGN_OR_RETURN(std::vector<float> bias, Bias(attention, q_size, kv_size));
    ASSIGN_OR_RETURN(PathLinear qkv, Linear(std::array{q, k, v}));
    ASSIGN_OR_RETURN(PathLinear output, Linear(std::array{o}));
    ASSIGN_OR_RETURN(PathLinear gate_up, Linear(std::array{gate, up}));
    ASSIGN_OR_RETURN(PathLinear down_linear, Linear(std::array{down}));
    return LayerWeights{
        std::move(attention_norm),    std::move(qkv),     std::move(bias),       std::move(output),
        std::move(feed_forward_norm), std::move(gate_up), std::move(down_linear)};
  }

  absl::StatusOr<PathLinear> Linear(std::span<const WeightMatrix> parts) const {
    ASSIGN_OR_RETURN(compute::PrefillLinear prefill,
                     compute::PrefillLinear::Create(parts, compute::MatrixTypeFor(target_), pool_));
    return PathLinear{std::move(prefill), compute::DecodeLinear(parts, target_, pool_)};
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
    const WeightMatrix matrix{FormatOf(view.type), rows, columns, view.bytes.data()};
    if (IsQuantized(matrix.format) && columns % compute::kQuantBlock != 0) {
      return absl::InvalidArgumentError(
          fmt::format("tensor {} is quantised in blocks of 32, but has {} columns", name, columns));
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
  compute::ThreadPool& pool_;
  std::vector<int32_t> query_order_, key_order_;
};

}  // namespace

absl::StatusOr<DecoderWeights> LoadDecoderWeights(const ModelConfig& config,
                                                  const WeightSource& source,
                                                  compute::CpuTarget target,
                                                  compute::ThreadPool& pool) {
  return Loader(config, source, target, pool).Load();
}

}  // namespace tandem::model

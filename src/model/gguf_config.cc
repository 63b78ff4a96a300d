#include "model/gguf_config.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/architecture.h"

namespace tandem::model {
namespace {

constexpr int64_t kMaxDimension = 1 << 24;

/// Reads the keys below "<architecture>.".
class ConfigReader {
 public:
  ConfigReader(const GgufMetadata& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(fmt::format("{}.", architecture)) {}

  bool Has(std::string_view key) const { return metadata_.Has(Full(key)); }

  absl::StatusOr<int> Dimension(std::string_view key) const {
    ASSIGN_OR_RETURN(const int64_t value, metadata_.Integer(Full(key)));
    if (value < 1 || value > kMaxDimension) {
      return Invalid(key, value, fmt::format("1 to {}", kMaxDimension));
    }
    return static_cast<int>(value);
  }

  absl::StatusOr<int> Dimension(std::string_view key, int fallback) const {
    if (!Has(key)) return fallback;
    return Dimension(key);
  }

  absl::StatusOr<float> Positive(std::string_view key) const {
    ASSIGN_OR_RETURN(const double value, metadata_.Number(Full(key)));
    if (!(value > 0) || !std::isfinite(value)) return Invalid(key, value, "a number above 0");
    return static_cast<float>(value);
  }

  absl::StatusOr<float> Positive(std::string_view key, float fallback) const {
    if (!Has(key)) return fallback;
    return Positive(key);
  }

  absl::Status MustEqual(std::string_view key, int64_t accepted) const {
    if (!Has(key)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const int64_t value, metadata_.Integer(Full(key)));
    if (value != accepted) return Invalid(key, value, fmt::format("{}", accepted));
    return absl::OkStatus();
  }

  absl::StatusOr<std::string_view> Text(std::string_view key) const {
    return metadata_.String(Full(key));
  }

  template <typename Value>
  absl::Status Invalid(std::string_view key, Value value, std::string_view accepted) const {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} is {}; accepted: {}", Full(key), value, accepted));
  }

 private:
  std::string Full(std::string_view key) const { return fmt::format("{}{}", prefix_, key); }

  const GgufMetadata& metadata_;
  const std::string prefix_;
};

const WeightView* FindTensor(const GgufContents& contents, std::string_view name) {
  for (const GgufTensor& tensor : contents.tensors) {
    if (tensor.name == name) return &tensor.view;
  }
  return nullptr;
}

absl::Status ReadAttention(const ConfigReader& reader, ModelConfig& config) {
  ASSIGN_OR_RETURN(config.heads, reader.Dimension("attention.head_count"));
  ASSIGN_OR_RETURN(config.kv_heads, reader.Dimension("attention.head_count_kv", config.heads));
  if (config.heads % config.kv_heads != 0) {
    return reader.Invalid("attention.head_count_kv", config.kv_heads,
                          fmt::format("a divisor of the {} heads", config.heads));
  }
  if (!reader.Has("attention.key_length") && config.hidden_size % config.heads != 0) {
    return reader.Invalid("attention.head_count", config.heads,
                          fmt::format("a divisor of the hidden size {}", config.hidden_size));
  }
  ASSIGN_OR_RETURN(config.head_dim,
                   reader.Dimension("attention.key_length", config.hidden_size / config.heads));
  if (config.head_dim % 2 != 0) {
    return reader.Invalid("attention.key_length", config.head_dim, "an even number");
  }
  RETURN_IF_ERROR(reader.MustEqual("attention.value_length", config.head_dim));
  return reader.MustEqual("rope.dimension_count", config.head_dim);
}

/// A checkpoint may be cut into several files, of which this would be one.
absl::Status RefuseSplitFile(const GgufMetadata& metadata) {
  constexpr std::string_view kKey = "split.count";
  if (!metadata.Has(kKey)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t files, metadata.Integer(kKey));
  if (files <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("metadata key {} is {}; accepted: 1, a checkpoint in one file (merge the parts)",
                  kKey, files));
}

/// What the architecture's name allows, but would have to be computed otherwise.
absl::Status RefuseVariants(const ConfigReader& reader) {
  return reader.MustEqual("expert_count", 0);
}

/// Llama 3's scaling stands in a tensor of divisors.
absl::Status ReadRopeScaling(const GgufContents& contents, const ConfigReader& reader,
                             ModelConfig& config) {
  constexpr std::string_view kType = "rope.scaling.type";
  if (reader.Has(kType)) {
    ASSIGN_OR_RETURN(const std::string_view type, reader.Text(kType));
    if (type != "none" && type != "linear") {
      return reader.Invalid(kType, type, "none or linear");
    }
    if (type == "linear") {
      config.rope_scaling.kind = compute::RopeScaling::Kind::kLinear;
      ASSIGN_OR_RETURN(config.rope_scaling.factor, reader.Positive("rope.scaling.factor"));
    }
  }
  const WeightView* divisors = FindTensor(contents, "rope_freqs.weight");
  if (divisors == nullptr) return absl::OkStatus();
  const int64_t count = divisors->rows * divisors->columns;
  if (divisors->type != WeightType::kF32 || count != config.head_dim / 2) {
    return absl::InvalidArgumentError(
        fmt::format("tensor rope_freqs.weight has {} elements; accepted: {}, half of the head "
                    "dimension, in F32",
                    count, config.head_dim / 2));
  }
  config.rope_scaling.divisors.resize(count);
  std::memcpy(config.rope_scaling.divisors.data(), divisors->bytes.data(), count * sizeof(float));
  for (const float divisor : config.rope_scaling.divisors) {
    if (!(divisor > 0)) {
      return absl::InvalidArgumentError(fmt::format(
          "tensor rope_freqs.weight has the element {}; accepted: numbers above 0", divisor));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const Architecture*> ReadArchitecture(const GgufMetadata& metadata) {
  ASSIGN_OR_RETURN(const std::string_view name, metadata.String("general.architecture"));
  const Architecture* architecture = FindArchitecture(name);
  if (architecture != nullptr && architecture->in_gguf) return architecture;
  std::string accepted;
  for (const Architecture& known : Architectures()) {
    if (!known.in_gguf) continue;
    accepted += fmt::format("{}\"{}\"", accepted.empty() ? "" : ", ", known.name);
  }
  return absl::InvalidArgumentError(
      fmt::format("metadata key general.architecture is \"{}\"; accepted: {}", name, accepted));
}

absl::Status ReadVocabulary(const GgufContents& contents, const ConfigReader& reader,
                            ModelConfig& config) {
  const WeightView* embeddings = FindTensor(contents, "token_embd.weight");
  if (embeddings == nullptr) {
    return absl::InvalidArgumentError("tensor token_embd.weight is missing");
  }
  if (embeddings->columns != config.hidden_size || embeddings->rows > kMaxDimension) {
    return absl::InvalidArgumentError(
        fmt::format("tensor token_embd.weight has shape [{}, {}]; accepted: [vocabulary size, {}]",
                    embeddings->rows, embeddings->columns, config.hidden_size));
  }
  config.vocab_size = static_cast<int>(embeddings->rows);
  config.tied_embeddings = FindTensor(contents, "output.weight") == nullptr;
  config.attention_bias = FindTensor(contents, "blk.0.attn_q.bias") != nullptr;
  return reader.MustEqual("vocab_size", config.vocab_size);
}

}  // namespace

absl::StatusOr<ModelConfig> ReadGgufConfig(const GgufContents& contents) {
  RETURN_IF_ERROR(RefuseSplitFile(contents.metadata));
  ModelConfig config;
  ASSIGN_OR_RETURN(const Architecture* architecture, ReadArchitecture(contents.metadata));
  config.architecture = architecture->name;
  config.head_norm = architecture->head_norm;
  config.interleaved_rope_rows = architecture->gguf_interleaved_rope_rows;

  const ConfigReader reader(contents.metadata, architecture->name);
  ASSIGN_OR_RETURN(config.hidden_size, reader.Dimension("embedding_length"));
  ASSIGN_OR_RETURN(config.layers, reader.Dimension("block_count"));
  ASSIGN_OR_RETURN(config.intermediate_size, reader.Dimension("feed_forward_length"));
  ASSIGN_OR_RETURN(config.max_positions, reader.Dimension("context_length"));
  ASSIGN_OR_RETURN(config.rms_norm_epsilon, reader.Positive("attention.layer_norm_rms_epsilon"));
  ASSIGN_OR_RETURN(config.rope_theta, reader.Positive("rope.freq_base", config.rope_theta));
  RETURN_IF_ERROR(ReadAttention(reader, config));
  RETURN_IF_ERROR(RefuseVariants(reader));
  RETURN_IF_ERROR(ReadRopeScaling(contents, reader, config));
  RETURN_IF_ERROR(ReadVocabulary(contents, reader, config));
  return config;
}

}  // namespace tandem::model

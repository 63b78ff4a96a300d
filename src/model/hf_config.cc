#include "model/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <limits>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "model/architecture.h"
#include "model/json_reader.h"

namespace tandem::model {
namespace {

constexpr int kMaxDimension = 1 << 24;

absl::StatusOr<int> Dimension(const JsonReader& root, std::string_view name) {
  ASSIGN_OR_RETURN(const int64_t value, root.IntegerMember(name, 1, kMaxDimension));
  return static_cast<int>(value);
}

absl::StatusOr<int> Dimension(const JsonReader& root, std::string_view name, int fallback) {
  if (!root.Has(name)) return fallback;
  return Dimension(root, name);
}

absl::StatusOr<float> Positive(const JsonReader& root, std::string_view name) {
  ASSIGN_OR_RETURN(const JsonReader field, root.Member(name));
  ASSIGN_OR_RETURN(const double value, field.Number());
  if (!(value > 0)) return field.Wrong("a number above 0");
  return static_cast<float>(value);
}

absl::Status MustBeFalse(const JsonReader& root, std::string_view name) {
  ASSIGN_OR_RETURN(const bool value, root.BoolMember(name, false));
  if (!value) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader field, root.Member(name));
  return field.Wrong("false");
}

std::string KnownArchitectures() {
  std::string names;
  for (const Architecture& architecture : Architectures()) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", architecture.name);
  }
  return names;
}

absl::StatusOr<const Architecture*> ReadArchitecture(const JsonReader& root) {
  ASSIGN_OR_RETURN(const JsonReader type, root.Member("model_type"));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  const Architecture* architecture = FindArchitecture(name);
  if (architecture == nullptr) return type.Wrong(KnownArchitectures());
  if (!root.Has("architectures")) return architecture;
  ASSIGN_OR_RETURN(const JsonReader classes, root.Member("architectures"));
  ASSIGN_OR_RETURN(const boost::json::array* list, classes.Array());
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(const std::string_view class_name, classes.Element(i).String());
    // A head for other tasks would be left out in silence.
    if (class_name != architecture->class_name) {
      return classes.Element(i).Wrong(fmt::format("\"{}\"", architecture->class_name));
    }
  }
  return architecture;
}

absl::Status ReadHeads(const JsonReader& root, ModelConfig* config) {
  ASSIGN_OR_RETURN(config->heads, Dimension(root, "num_attention_heads"));
  ASSIGN_OR_RETURN(config->kv_heads, Dimension(root, "num_key_value_heads", config->heads));
  if (config->heads % config->kv_heads != 0) {
    ASSIGN_OR_RETURN(const JsonReader field, root.Member("num_key_value_heads"));
    return field.Wrong(fmt::format("a divisor of num_attention_heads, {}", config->heads));
  }
  if (!root.Has("head_dim") && config->hidden_size % config->heads != 0) {
    ASSIGN_OR_RETURN(const JsonReader field, root.Member("num_attention_heads"));
    return field.Wrong(fmt::format("a divisor of hidden_size, {}", config->hidden_size));
  }
  ASSIGN_OR_RETURN(config->head_dim,
                   Dimension(root, "head_dim", config->hidden_size / config->heads));
  if (config->head_dim % 2 != 0) {
    return absl::InvalidArgumentError(
        fmt::format("head_dim is {}; accepted: an even number", config->head_dim));
  }
  return absl::OkStatus();
}

/// The field that says how positions are scaled: "rope_scaling", or since transformers 5
/// "rope_parameters", which holds rope_theta as well. Null if neither is there.
absl::StatusOr<std::optional<JsonReader>> FindRopeParameters(const JsonReader& root) {
  for (const std::string_view name : {"rope_scaling", "rope_parameters"}) {
    if (!root.Has(name)) continue;
    ASSIGN_OR_RETURN(const JsonReader field, root.Member(name));
    ASSIGN_OR_RETURN([[maybe_unused]] const boost::json::object* members, field.Object());
    return field;
  }
  return std::nullopt;
}

absl::Status ReadRopeScaling(const JsonReader& field, compute::RopeScaling* scaling) {
  using Kind = compute::RopeScaling::Kind;
  const std::string_view type_name = field.Has("rope_type") ? "rope_type" : "type";
  if (!field.Has(type_name)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader type, field.Member(type_name));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  if (name == "default") return absl::OkStatus();
  if (name != "linear" && name != "llama3") {
    return type.Wrong("\"default\", \"linear\" or \"llama3\"");
  }
  scaling->kind = name == "linear" ? Kind::kLinear : Kind::kLlama3;
  ASSIGN_OR_RETURN(scaling->factor, Positive(field, "factor"));
  if (scaling->kind == Kind::kLinear) return absl::OkStatus();
  ASSIGN_OR_RETURN(scaling->low_frequency_factor, Positive(field, "low_freq_factor"));
  ASSIGN_OR_RETURN(scaling->high_frequency_factor, Positive(field, "high_freq_factor"));
  if (scaling->high_frequency_factor <= scaling->low_frequency_factor) {
    ASSIGN_OR_RETURN(const JsonReader high, field.Member("high_freq_factor"));
    return high.Wrong(fmt::format("more than low_freq_factor, {}", scaling->low_frequency_factor));
  }
  ASSIGN_OR_RETURN(scaling->original_positions,
                   Dimension(field, "original_max_position_embeddings"));
  return absl::OkStatus();
}

absl::Status ReadRope(const JsonReader& root, ModelConfig* config) {
  ASSIGN_OR_RETURN(const std::optional<JsonReader> parameters, FindRopeParameters(root));
  if (parameters) {
    RETURN_IF_ERROR(ReadRopeScaling(*parameters, &config->rope_scaling));
    RETURN_IF_ERROR(MustBeFalse(*parameters, "use_scaled_rope"));
    if (parameters->Has("rope_theta")) {
      ASSIGN_OR_RETURN(config->rope_theta, Positive(*parameters, "rope_theta"));
    }
  }
  if (root.Has("rope_theta")) {
    ASSIGN_OR_RETURN(config->rope_theta, Positive(root, "rope_theta"));
  }
  return absl::OkStatus();
}

absl::Status ReadPositions(const JsonReader& root, const Architecture& architecture,
                           ModelConfig* config) {
  ASSIGN_OR_RETURN(config->max_positions, Dimension(root, "max_position_embeddings"));
  if (architecture.sliding_window == SlidingWindowRule::kNever || !root.Has("sliding_window")) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool used, root.BoolMember("use_sliding_window", false));
  if (architecture.sliding_window == SlidingWindowRule::kIfUsed && !used) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int window, Dimension(root, "sliding_window"));
  if (window < config->max_positions) {
    spdlog::warn("the context is {} tokens instead of {}: the model attends to a sliding window",
                 window, config->max_positions);
    config->max_positions = window;
  }
  return absl::OkStatus();
}

absl::Status ReadDataType(const JsonReader& root, ModelConfig* config) {
  // transformers 5 calls it "dtype".
  const std::string_view name = root.Has("torch_dtype") ? "torch_dtype" : "dtype";
  if (!root.Has(name)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader field, root.Member(name));
  ASSIGN_OR_RETURN(const std::string_view type, field.String());
  const auto parsed = compute::ParseDataType(type);
  if (!parsed.ok()) return field.Wrong("\"float16\", \"bfloat16\" or \"float32\"");
  config->dtype = *parsed;
  return absl::OkStatus();
}

absl::Status ReadQuantization(const JsonReader& root, ModelConfig* config) {
  if (!root.Has("quantization_config")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader field, root.Member("quantization_config"));
  ASSIGN_OR_RETURN(const JsonReader method, field.Member("quant_method"));
  ASSIGN_OR_RETURN(const std::string_view method_name, method.String());
  if (method_name != "gptq") return method.Wrong("\"gptq\"");
  RETURN_IF_ERROR(field.IntegerMember("bits", 4, 4).status());
  GptqConfig gptq;
  ASSIGN_OR_RETURN(const JsonReader group, field.Member("group_size"));
  ASSIGN_OR_RETURN(const int64_t group_size, group.Integer(-1, kMaxDimension));
  if (group_size == 0 || (group_size > 0 && group_size % 32 != 0)) {
    return group.Wrong("-1 or a multiple of 32");
  }
  gptq.group_size = static_cast<int>(std::max<int64_t>(0, group_size));
  if (field.Has("checkpoint_format")) {
    ASSIGN_OR_RETURN(const JsonReader format, field.Member("checkpoint_format"));
    ASSIGN_OR_RETURN(const std::string_view name, format.String());
    if (name != "gptq" && name != "gptq_v2") return format.Wrong("\"gptq\" or \"gptq_v2\"");
    gptq.zero_offset = name == "gptq" ? 1 : 0;
  }
  if (field.Has("dynamic")) {
    ASSIGN_OR_RETURN(const JsonReader dynamic, field.Member("dynamic"));
    ASSIGN_OR_RETURN(const boost::json::object* rules, dynamic.Object());
    if (!rules->empty()) return dynamic.Wrong("no rules for single layers");
  }
  config->gptq = gptq;
  return absl::OkStatus();
}

absl::Status ReadEosTokenIds(const JsonReader& root, std::vector<int32_t>* ids) {
  if (!root.Has("eos_token_id")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader field, root.Member("eos_token_id"));
  if (!field.IsArray()) {
    ASSIGN_OR_RETURN(const int32_t id, field.TokenId());
    ids->push_back(id);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const boost::json::array* list, field.Array());
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(const int32_t id, field.Element(i).TokenId());
    ids->push_back(id);
  }
  return absl::OkStatus();
}

/// What an architecture's name allows, but would have to be computed otherwise.
absl::Status RefuseVariants(const JsonReader& root, const Architecture& architecture) {
  ASSIGN_OR_RETURN(const JsonReader activation, root.Member("hidden_act"));
  ASSIGN_OR_RETURN(const std::string_view name, activation.String());
  if (name != "silu") return activation.Wrong("\"silu\"");
  RETURN_IF_ERROR(MustBeFalse(root, "mlp_bias"));
  // Only of q, k and v, and then always.
  if (!architecture.qkv_bias) RETURN_IF_ERROR(MustBeFalse(root, "attention_bias"));
  return absl::OkStatus();
}

absl::StatusOr<HfConfig> ReadConfig(const JsonReader& root) {
  ASSIGN_OR_RETURN(const Architecture* architecture, ReadArchitecture(root));
  RETURN_IF_ERROR(RefuseVariants(root, *architecture));
  HfConfig result;
  ModelConfig& config = result.model;
  config.architecture = architecture->name;
  config.attention_bias = architecture->qkv_bias;
  config.head_norm = architecture->head_norm;
  ASSIGN_OR_RETURN(config.hidden_size, Dimension(root, "hidden_size"));
  ASSIGN_OR_RETURN(config.layers, Dimension(root, "num_hidden_layers"));
  ASSIGN_OR_RETURN(config.intermediate_size, Dimension(root, "intermediate_size"));
  ASSIGN_OR_RETURN(config.vocab_size, Dimension(root, "vocab_size"));
  ASSIGN_OR_RETURN(config.rms_norm_epsilon, Positive(root, "rms_norm_eps"));
  ASSIGN_OR_RETURN(config.tied_embeddings, root.BoolMember("tie_word_embeddings", false));
  RETURN_IF_ERROR(ReadHeads(root, &config));
  RETURN_IF_ERROR(ReadRope(root, &config));
  RETURN_IF_ERROR(ReadPositions(root, *architecture, &config));
  RETURN_IF_ERROR(ReadDataType(root, &config));
  RETURN_IF_ERROR(ReadQuantization(root, &config));
  RETURN_IF_ERROR(ReadEosTokenIds(root, &result.eos_token_ids));
  return result;
}

}  // namespace

absl::StatusOr<HfConfig> ParseHfConfig(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value document = boost::json::parse({json.data(), json.size()}, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("the document is no JSON: {}", error.message()));
  }
  return ReadConfig(JsonReader(&document, ""));
}

}  // namespace tandem::model

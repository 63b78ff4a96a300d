#include "model/gguf_tensor_names.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace tandem::model {
namespace {

using NamePair = std::pair<std::string_view, std::string_view>;

constexpr std::string_view kLayerPrefix = "blk.";

constexpr std::array<NamePair, 4> kModelTensors = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"rope_freqs.weight", "rope_freqs.weight"},  // Part of the config.
}};

/// A module of a layer, and what an architecture must have for it to be computed.
struct LayerModule {
  std::string_view gguf, hugging_face;
  bool may_have_bias = false;
  bool is_head_norm = false;
};

constexpr std::array<LayerModule, 11> kLayerModules = {{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj", true},
    {"attn_k", "self_attn.k_proj", true},
    {"attn_v", "self_attn.v_proj", true},
    {"attn_q_norm", "self_attn.q_norm", false, true},
    {"attn_k_norm", "self_attn.k_norm", false, true},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};

}  // namespace

absl::StatusOr<std::string> HuggingFaceName(std::string_view gguf_name, const ModelConfig& config) {
  for (const auto& [gguf, hugging_face] : kModelTensors) {
    if (gguf_name == gguf) return std::string(hugging_face);
  }
  if (gguf_name.starts_with(kLayerPrefix)) {
    const std::string_view rest = gguf_name.substr(kLayerPrefix.size());
    int layer = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
    const std::string_view tensor = rest.substr(end - rest.data());
    for (const LayerModule& module : kLayerModules) {
      if (error != std::errc() || layer < 0) break;
      if (module.is_head_norm && !config.head_norm) continue;
      for (const std::string_view part : {"weight", "bias"}) {
        if (part == "bias" && !(module.may_have_bias && config.attention_bias)) continue;
        if (tensor == fmt::format(".{}.{}", module.gguf, part)) {
          return fmt::format("model.layers.{}.{}.{}", layer, module.hugging_face, part);
        }
      }
    }
  }
  return absl::InvalidArgumentError(fmt::format("tensor {} is not part of the architecture \"{}\"",
                                                gguf_name, config.architecture));
}

}  // namespace tandem::model

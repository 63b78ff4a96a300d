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

constexpr std::array<NamePair, 3> kModelTensors = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
}};

constexpr std::array<NamePair, 9> kLayerModules = {{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};

}  // namespace

absl::StatusOr<std::string> HuggingFaceName(std::string_view gguf_name) {
  for (const auto& [gguf, hugging_face] : kModelTensors) {
    if (gguf_name == gguf) return std::string(hugging_face);
  }
  if (gguf_name.starts_with(kLayerPrefix)) {
    const std::string_view rest = gguf_name.substr(kLayerPrefix.size());
    int layer = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
    const std::string_view tensor = rest.substr(end - rest.data());
    for (const auto& [gguf, hugging_face] : kLayerModules) {
      if (error != std::errc() || layer < 0) break;
      for (const std::string_view part : {"weight", "bias"}) {
        if (tensor == fmt::format(".{}.{}", gguf, part)) {
          return fmt::format("model.layers.{}.{}.{}", layer, hugging_face, part);
        }
      }
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("tensor {} is not part of the architecture \"llama\"", gguf_name));
}

}  // namespace tandem::model

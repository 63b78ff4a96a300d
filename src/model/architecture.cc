#include "model/architecture.h"

#include <algorithm>
#include <array>

namespace tandem::model {

std::span<const Architecture> Architectures() {
  // SmolLM2 is a llama.
  static constexpr std::array<Architecture, 4> kArchitectures = {{
      {.name = "llama", .class_name = "LlamaForCausalLM", .gguf_interleaved_rope_rows = true},
      {.name = "mistral",
       .class_name = "MistralForCausalLM",
       .sliding_window = SlidingWindowRule::kIfSet,
       .in_gguf = false},
      {.name = "qwen2",
       .class_name = "Qwen2ForCausalLM",
       .qkv_bias = true,
       .sliding_window = SlidingWindowRule::kIfUsed},
      {.name = "qwen3",
       .class_name = "Qwen3ForCausalLM",
       .head_norm = true,
       .sliding_window = SlidingWindowRule::kIfUsed},
  }};
  return kArchitectures;
}

const Architecture* FindArchitecture(std::string_view name) {
  const auto all = Architectures();
  const auto found = std::find_if(all.begin(), all.end(), [name](const Architecture& architecture) {
    return architecture.name == name;
  });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace tandem::model

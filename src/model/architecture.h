#pragma once

#include <span>
#include <string_view>

namespace tandem::model {

/// When a decoder's layers attend to the last `sliding_window` positions only.
enum class SlidingWindowRule {
  kNever,
  kIfSet,   ///< config.json has a sliding_window that is not null.
  kIfUsed,  ///< and use_sliding_window is true.
};

/// What differs between families of decoders; all else is the same graph (docs/adding-a-model.md).
struct Architecture {
  std::string_view name;        ///< config.json's model_type, and GGUF's general.architecture.
  std::string_view class_name;  ///< In config.json's architectures.
  bool qkv_bias = false;        ///< q, k and v always have a bias.
  bool head_norm = false;       ///< q and k are normalised head by head before rotation.
  SlidingWindowRule sliding_window = SlidingWindowRule::kNever;
  bool in_gguf = true;  ///< Whether a GGUF file may have it; mistral's are "llama" there.
  /// GGUF files hold the rows of q and k in the order that rotates neighbouring pairs.
  bool gguf_interleaved_rope_rows = false;
};

/// The families that are known.
std::span<const Architecture> Architectures();

/// Null if there is none of that name.
const Architecture* FindArchitecture(std::string_view name);

}  // namespace tandem::model

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "model/weight_source.h"

namespace tandem::model::testing {

/// The shape of a small random model. Dimensions of quantised weights are multiples of 32, those
/// of K-quants of 256.
struct TinyModelOptions {
  int layers = 2;
  int hidden_size = 64;
  int heads = 4;
  int kv_heads = 2;
  int intermediate_size = 128;
  int max_positions = 2048;
  WeightType weight_type = WeightType::kQ8_0;  ///< Of the linear layers.
  uint64_t seed = 1;                           ///< Other seeds give other weights.
};

/// The bytes of a GGUF file of architecture "llama" with random weights: a byte-level vocabulary of
/// 256 bytes, some merges of English and three special tokens ("<|endoftext|>" id 0, "<|im_start|>"
/// id 1,
/// "<|im_end|>" id 2, which ends a text), tied embeddings in Q8_0, and a ChatML template.
/// Deterministic.
std::string TinyModelBytes(const TinyModelOptions& options = {});

/// Writes TinyModelBytes to `path`.
absl::Status WriteTinyModel(const std::string& path, const TinyModelOptions& options = {});

}  // namespace tandem::model::testing

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::model {

/// How a tensor's elements are stored. The quantised ones are GGML's block formats, 32 elements
/// along a row: Q4_0 {f16 scale, 16 bytes of nibbles}, Q4_1 {f16 scale, f16 minimum, 16 bytes},
/// Q8_0 {f16 scale, 32 int8}; byte i of the nibbles holds element i low and element i + 16 high.
/// Q4_K, Q5_K and Q6_K are blocks of 256 elements (compute/k_quants.h). kI32 is what GPTQ's packed
/// tensors are made of.
enum class WeightType { kF32, kF16, kBF16, kI32, kQ4_0, kQ4_1, kQ8_0, kQ4_K, kQ5_K, kQ6_K };

/// Elements that are stored together: a row has a multiple of them.
int64_t BlockElements(WeightType type);

/// Bytes of a row of `columns` elements.
size_t RowBytes(WeightType type, int64_t columns);

/// A tensor of a checkpoint, rows contiguous: [rows, columns], or [columns] with rows = 1.
struct WeightView {
  WeightType type;
  int64_t rows = 0;
  int64_t columns = 0;
  std::span<const std::byte> bytes;  ///< Belongs to the source.
};

/// A checkpoint's tensors under Hugging Face's names ("model.layers.0.self_attn.q_proj.weight",
/// "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"). Const and safe for use by
/// several threads; views live as long as the source.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// NotFound if there is none of that name.
  virtual absl::StatusOr<WeightView> Find(std::string_view name) const = 0;
  /// SHA-256 over the weights' identity (names, shapes, types and sampled bytes): the fingerprint
  /// that goes into cache keys. Hexadecimal.
  virtual std::string Fingerprint() const = 0;
  /// Gives back the memory of file pages that were read; they are read again when they are touched.
  virtual void DropPages() const {}
};

}  // namespace tandem::model

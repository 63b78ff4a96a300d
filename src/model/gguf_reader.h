#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/gguf_metadata.h"
#include "model/weight_source.h"

namespace tandem::model {

/// A tensor of a GGUF file under the file's own name; views into the file's bytes.
struct GgufTensor {
  std::string_view name;
  WeightView view;
};

/// What a GGUF file holds.
struct GgufContents {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;
};

/// Reads a GGUF file, version 2 or 3, little-endian, out of memory; the result is made of views
/// into `bytes`. Every field is checked against the file's size: InvalidArgument names the field or
/// tensor, its offset and what was expected. Tensor types other than those of WeightType are
/// refused.
absl::StatusOr<GgufContents> ReadGguf(std::span<const std::byte> bytes);

}  // namespace tandem::model

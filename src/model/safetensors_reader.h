#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/weight_source.h"

namespace tandem::model {

/// A tensor of a safetensors file.
struct SafetensorsTensor {
  std::string name;
  std::string dtype;  ///< As in the file: "F16".
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  ///< Within the file's bytes; need not be aligned.

  /// As rows and columns: the last dimension is the columns, a scalar is [1, 1]. InvalidArgument
  /// for an element type other than F32, F16, BF16 and I32.
  absl::StatusOr<WeightView> View() const;
};

/// Reads a safetensors file (8 bytes of header size, little-endian; a header in JSON; data) out of
/// memory. Every offset is checked against the file's size, every size against shape and element
/// type: InvalidArgument names the tensor, the value and what is accepted.
absl::StatusOr<std::vector<SafetensorsTensor>> ReadSafetensors(std::span<const std::byte> bytes);

/// The file of each tensor in the text of a model.safetensors.index.json. InvalidArgument for what
/// is no file name, as one with a path would leave the checkpoint's directory.
absl::StatusOr<std::map<std::string, std::string>> ReadSafetensorsIndex(std::string_view json);

}  // namespace tandem::model

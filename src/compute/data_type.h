#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::compute {

/// Element types of activations and of the KV cache.
enum class DataType { kFloat32, kFloat16, kBFloat16 };

constexpr size_t SizeOf(DataType type) { return type == DataType::kFloat32 ? 4 : 2; }

/// The name LMCache writes into its keys: "float", "half" or "bfloat16".
std::string_view KeyName(DataType type);

/// From vLLM's names: "auto" is not accepted here; "float16"/"half", "bfloat16", "float32"/"float".
absl::StatusOr<DataType> ParseDataType(std::string_view name);

}  // namespace tandem::compute

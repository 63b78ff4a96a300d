#include "compute/data_type.h"

#include <fmt/format.h>

namespace tandem::compute {

std::string_view KeyName(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return "float";
    case DataType::kFloat16:
      return "half";
    case DataType::kBFloat16:
      return "bfloat16";
  }
  return "";
}

absl::StatusOr<DataType> ParseDataType(std::string_view name) {
  if (name == "float32" || name == "float") return DataType::kFloat32;
  if (name == "float16" || name == "half") return DataType::kFloat16;
  if (name == "bfloat16") return DataType::kBFloat16;
  return absl::InvalidArgumentError(
      fmt::format("data type '{}' is not one of float16, half, bfloat16, float32, float", name));
}

}  // namespace tandem::compute

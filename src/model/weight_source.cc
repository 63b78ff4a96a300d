#include "model/weight_source.h"

namespace tandem::model {
namespace {

constexpr int64_t kBlockElements = 32;
constexpr int64_t kSuperBlockElements = 256;

}  // namespace

int64_t BlockElements(WeightType type) {
  switch (type) {
    case WeightType::kF32:
    case WeightType::kF16:
    case WeightType::kBF16:
    case WeightType::kI32:
      return 1;
    case WeightType::kQ4_0:
    case WeightType::kQ4_1:
    case WeightType::kQ8_0:
      return kBlockElements;
    case WeightType::kQ4_K:
    case WeightType::kQ5_K:
    case WeightType::kQ6_K:
      return kSuperBlockElements;
  }
  return 1;
}

size_t RowBytes(WeightType type, int64_t columns) {
  const size_t blocks = static_cast<size_t>(columns / BlockElements(type));
  switch (type) {
    case WeightType::kF32:
    case WeightType::kI32:
      return static_cast<size_t>(columns) * 4;
    case WeightType::kF16:
    case WeightType::kBF16:
      return static_cast<size_t>(columns) * 2;
    case WeightType::kQ4_0:
      return blocks * (2 + 16);
    case WeightType::kQ4_1:
      return blocks * (2 + 2 + 16);
    case WeightType::kQ8_0:
      return blocks * (2 + 32);
    case WeightType::kQ4_K:
      return blocks * (2 + 2 + 12 + 128);
    case WeightType::kQ5_K:
      return blocks * (2 + 2 + 12 + 32 + 128);
    case WeightType::kQ6_K:
      return blocks * (128 + 64 + 16 + 2);
  }
  return 0;
}

}  // namespace tandem::model

#include "model/weight_source.h"

namespace tandem::model {
namespace {

constexpr int64_t kBlockElements = 32;

}  // namespace

size_t RowBytes(WeightType type, int64_t columns) {
  const size_t blocks = static_cast<size_t>(columns / kBlockElements);
  switch (type) {
    case WeightType::kF32:
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
  }
  return 0;
}

}  // namespace tandem::model

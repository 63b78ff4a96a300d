#include "compute/testing/random_weights.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "compute/float_conversion.h"
#include "compute/k_quants.h"

namespace tandem::compute::testing {
namespace {

// Scales of quantised blocks in float16: 1/8, and for bytes 1/128; the minimum is -1.
constexpr uint16_t kEighth = 0x3000, kHundredTwentyEighth = 0x2000, kMinusOne = 0xbc00;

template <typename T>
void Append(T value, std::vector<std::byte>* out) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out->insert(out->end(), bytes, bytes + sizeof(T));
}

/// A block of random bytes, but for its scales.
void AppendKQuantBlock(WeightFormat format, std::mt19937_64& random, std::vector<std::byte>* out) {
  constexpr uint16_t kScale = 0x1400, kQ6Scale = 0x0400;  // 2^-10 and 2^-14
  const size_t start = out->size(), size = KQuantBlock::Bytes(format);
  for (size_t i = 0; i < size; ++i) Append(static_cast<uint8_t>(random()), out);
  std::byte* block = out->data() + start;
  if (format == WeightFormat::kQ6_K) {
    std::memcpy(block + size - 2, &kQ6Scale, 2);
  } else {
    std::memcpy(block, &kScale, 2);
    std::memcpy(block + 2, &kScale, 2);
  }
}

}  // namespace

std::vector<float> RandomFloats(size_t count, float scale, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  return values;
}

RandomWeights::RandomWeights(WeightFormat format, int64_t rows, int64_t columns, uint64_t seed)
    : format(format), rows(rows), columns(columns) {
  if (format == WeightFormat::kGptqInt4) {
    MakeGptq(seed);
    return;
  }
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  if (!IsQuantized(format)) {
    for (int64_t i = 0; i < rows * columns; ++i) {
      const float value = uniform(random);
      if (format == WeightFormat::kFloat32) Append(value, &bytes);
      if (format == WeightFormat::kBFloat16) Append(FloatToBFloat16(value), &bytes);
      // Any pattern with an exponent of 14 at most is a number within (-1, 1).
      if (format == WeightFormat::kFloat16) Append<uint16_t>(random() & 0xbbff, &bytes);
    }
    return;
  }
  if (IsKQuant(format)) {
    for (int64_t block = 0; block < rows * columns / KQuantBlock::kElements; ++block) {
      AppendKQuantBlock(format, random, &bytes);
    }
    return;
  }
  for (int64_t block = 0; block < rows * columns / kQuantBlock; ++block) {
    Append(format == WeightFormat::kQ8_0 ? kHundredTwentyEighth : kEighth, &bytes);
    if (format == WeightFormat::kQ4_1) Append(kMinusOne, &bytes);
    for (int i = 0; i < (format == WeightFormat::kQ8_0 ? 32 : 16); ++i) {
      Append(static_cast<uint8_t>(random()), &bytes);
    }
  }
}

void RandomWeights::MakeGptq(uint64_t seed) {
  constexpr int64_t kGroup = 64;
  std::mt19937_64 random(seed);
  const int64_t groups = (columns + kGroup - 1) / kGroup;
  const size_t quant_bytes = columns / 8 * rows * 4, zero_bytes = groups * (rows / 8) * 4;
  for (size_t i = 0; i < quant_bytes + zero_bytes; ++i)
    Append(static_cast<uint8_t>(random()), &bytes);
  for (int64_t i = 0; i < groups * rows; ++i) {
    // From 1/16 to 1/8.
    Append(static_cast<uint16_t>(0x2c00 + random() % 0x400), &bytes);
  }
  column_order.resize(columns);
  std::iota(column_order.begin(), column_order.end(), 0);
  std::shuffle(column_order.begin(), column_order.end(), random);
  gptq = {.quants = bytes.data(),
          .zeros = bytes.data() + quant_bytes,
          .scales = bytes.data() + quant_bytes + zero_bytes,
          .rows = rows,
          .columns = columns,
          .group_size = kGroup,
          .column_order = column_order};
}

std::vector<float> RandomWeights::Row(int64_t row) const {
  std::vector<float> values(columns);
  DequantizeOutput(View(), row, values.data());
  return values;
}

std::vector<double> Multiply(const RandomWeights& weights, const std::vector<float>& x) {
  const int64_t rows = static_cast<int64_t>(x.size()) / weights.columns;
  std::vector<double> y(rows * weights.rows);
  for (int64_t output = 0; output < weights.rows; ++output) {
    const std::vector<float> w = weights.Row(output);
    for (int64_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (int64_t k = 0; k < weights.columns; ++k) {
        sum += double{w[k]} * x[row * weights.columns + k];
      }
      y[row * weights.rows + output] = sum;
    }
  }
  return y;
}

}  // namespace tandem::compute::testing

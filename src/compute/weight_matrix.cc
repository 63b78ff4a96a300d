#include "compute/weight_matrix.h"

#include <algorithm>
#include <cstring>

#include "compute/float_conversion.h"
#include "compute/k_quants.h"

namespace tandem::compute {
namespace {

uint16_t Load16(const std::byte* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

void DequantizeNibbles(const std::byte* nibbles, float scale, float minimum, float* out) {
  for (int i = 0; i < kQuantBlock / 2; ++i) {
    const auto byte = std::to_integer<unsigned>(nibbles[i]);
    out[i] = static_cast<float>(byte & 15u) * scale + minimum;
    out[i + kQuantBlock / 2] = static_cast<float>(byte >> 4) * scale + minimum;
  }
}

size_t BlockBytes(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_0:
      return 2 + 16;
    case WeightFormat::kQ4_1:
      return 2 + 2 + 16;
    default:
      return 2 + 32;
  }
}

}  // namespace

size_t WeightMatrix::row_bytes() const {
  switch (format) {
    case WeightFormat::kFloat32:
      return columns * 4;
    case WeightFormat::kFloat16:
    case WeightFormat::kBFloat16:
      return columns * 2;
    case WeightFormat::kQ4_K:
    case WeightFormat::kQ5_K:
    case WeightFormat::kQ6_K:
      return columns / KQuantBlock::kElements * KQuantBlock::Bytes(format);
    default:
      return columns / kQuantBlock * BlockBytes(format);
  }
}

void DequantizeOutput(const WeightMatrix& weight, int64_t row, float* out) {
  if (weight.format != WeightFormat::kGptqInt4) {
    DequantizeRow(weight.format, weight.Row(row), weight.columns, out);
    return;
  }
  const GptqMatrix& gptq = *weight.gptq;
  for (int64_t group = 0; group < gptq.groups(); ++group) {
    const float scale = Float16ToFloat(gptq.ScaleBits(row, group));
    const int zero = gptq.Zero(row, group);
    const int64_t end = std::min(gptq.columns, (group + 1) * gptq.group_size);
    for (int64_t position = group * gptq.group_size; position < end; ++position) {
      const int64_t column = gptq.Column(position);
      const int quant = static_cast<int>(gptq.Quant(row, column));
      out[column] = scale * static_cast<float>(quant - zero);
    }
  }
}

void DequantizeRow(WeightFormat format, const std::byte* row, int64_t columns, float* out) {
  switch (format) {
    case WeightFormat::kFloat32:
      std::memcpy(out, row, columns * sizeof(float));
      return;
    case WeightFormat::kFloat16:
      for (int64_t i = 0; i < columns; ++i) out[i] = Float16ToFloat(Load16(row + 2 * i));
      return;
    case WeightFormat::kBFloat16:
      for (int64_t i = 0; i < columns; ++i) out[i] = BFloat16ToFloat(Load16(row + 2 * i));
      return;
    case WeightFormat::kQ4_K:
    case WeightFormat::kQ5_K:
    case WeightFormat::kQ6_K:
      for (int64_t i = 0; i < columns; i += KQuantBlock::kElements) {
        KQuantBlock(format, row).Dequantize(out + i);
        row += KQuantBlock::Bytes(format);
      }
      return;
    default:
      break;
  }
  for (int64_t i = 0; i < columns; i += kQuantBlock, row += BlockBytes(format)) {
    const float scale = Float16ToFloat(Load16(row));
    if (format == WeightFormat::kQ4_0) {
      DequantizeNibbles(row + 2, scale, -8.0f * scale, out + i);
    } else if (format == WeightFormat::kQ4_1) {
      DequantizeNibbles(row + 4, scale, Float16ToFloat(Load16(row + 2)), out + i);
    } else {
      for (int j = 0; j < kQuantBlock; ++j) {
        out[i + j] = static_cast<float>(static_cast<int8_t>(row[2 + j])) * scale;
      }
    }
  }
}

}  // namespace tandem::compute

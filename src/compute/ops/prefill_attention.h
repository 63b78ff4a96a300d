#pragma once

#include <cstdint>

#include "compute/aligned_buffer.h"
#include "compute/cpu_features.h"
#include "compute/ops/attention_shape.h"
#include "compute/ops/matrix_input.h"

namespace tandem::compute {

/// Memory that one thread works in.
struct PrefillAttentionScratch {
  AlignedBuffer<float> outputs;  ///< [head_dim, rows], in bfloat16 a block of 64 rows after another
  AlignedBuffer<float> scores;   ///< [kKeyPartition, rows], in bfloat16 those of a block
  AlignedBuffer<float> maxima;   ///< [rows]
  AlignedBuffer<float> sums;     ///< [rows]
  // float32.
  AlignedBuffer<float> queries;    ///< [head_dim, rows]
  AlignedBuffer<float> keys;       ///< [kKeyPartition, head_dim]
  AlignedBuffer<float> values;     ///< [kKeyPartition, head_dim]
  AlignedBuffer<float> positions;  ///< [rows]
  // bfloat16: operands of matrix products.
  AlignedBuffer<uint16_t> query_panels;       ///< MatrixPanels of rows, padded head_dim inputs
  AlignedBuffer<uint16_t> key_rows;           ///< [kKeyPartition, padded head_dim]
  AlignedBuffer<uint16_t> transposed_values;  ///< [head_dim, more than kKeyPartition]
  AlignedBuffer<uint16_t> weight_panels;      ///< MatrixPanels of a block, kKeyPartition inputs
  AlignedBuffer<int32_t> last_keys;           ///< [rows], the position of the last one they see
};

/// Consecutive tokens of a prompt and one KV head: causal attention of all heads that share it.
struct PrefillAttentionTile {
  const std::byte* queries = nullptr;  ///< Of the first token and of the group's first head.
  std::byte* outputs = nullptr;        ///< The same place in the result; may be `queries`.
  int64_t query_stride = 0;            ///< Elements from one token to the next.
  int64_t output_stride = 0;
  int tokens = 0;
  int first_position = 0;
  int kv_head = 0;
};

/// Tokens that a tile should have.
int PrefillAttentionTileTokens(const AttentionShape& shape, MatrixType type);

/// A row's result depends on its own position, query and keys alone.
using PrefillAttentionKernel = void (*)(const AttentionShape& shape, const KvView& kv,
                                        const PrefillAttentionTile& tile,
                                        PrefillAttentionScratch& scratch);

/// Queries and outputs are of MatrixTypeFor(target), to which bfloat16 rounds keys, values and
/// softmax weights as well; sums are float32. Never null.
PrefillAttentionKernel FindPrefillAttention(CpuTarget target);

/// Rows stand side by side in vectors and keys follow one another.
PrefillAttentionKernel FindFloatPrefillAttention();
/// Matrix products by FindAvx512Bf16MatrixKernel, or where there is one, FindAmxMatrixKernel.
PrefillAttentionKernel FindBf16PrefillAttention();
PrefillAttentionKernel FindAmxPrefillAttention();

}  // namespace tandem::compute

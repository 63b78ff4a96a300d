#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "compute/kv_pool.h"

namespace tandem::cache {

/// Positions [begin, end) of a sequence.
struct TokenRange {
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
};

/// Turns the KV blocks of a chunk into the bytes of an object and back, with LMCache's serde
/// `naive`: KV_2LTD, [2 (K, V), layers, tokens, kv_heads * head_dim], contiguous, behind 28 bytes
/// of header (7 native int32: length of the rest, memory format, dtype, shape) if there is one.
/// Stateless: safe for use by several threads on different blocks.
class KvCodec {
 public:
  KvCodec(const compute::KvLayout& layout, bool header) : layout_(layout), header_(header) {}

  /// Bytes of an object of `tokens` tokens.
  size_t EncodedBytes(int tokens) const;

  /// Gathers positions `chunk` of the sequence whose blocks are `block_table` into `bytes`, which
  /// has EncodedBytes(chunk.size()) bytes.
  void Encode(const compute::KvPool& kv, std::span<const int32_t> block_table, TokenRange chunk,
              std::span<std::byte> bytes) const;

  /// Scatters positions `wanted` (a part of `chunk`) of an object that holds `chunk` into the
  /// blocks. DataLoss, and nothing written, if the object is not one of that many tokens in this
  /// layout.
  absl::Status Decode(std::span<const std::byte> bytes, TokenRange chunk, TokenRange wanted,
                      const compute::KvPool& kv, std::span<const int32_t> block_table) const;

 private:
  size_t header_bytes() const;

  const compute::KvLayout layout_;
  const bool header_;
};

}  // namespace tandem::cache

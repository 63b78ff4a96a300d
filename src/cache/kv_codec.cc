#include "cache/kv_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/status.h"

namespace tandem::cache {
namespace {

using compute::DataType;
using compute::KvLayout;
using compute::KvPart;

/// LMCache's RemoteMetadata: length, memory format, dtype, shape[4].
using Header = std::array<int32_t, 7>;

constexpr int32_t kFormatKv2ltd = 1;

int32_t DtypeNumber(DataType dtype) {
  switch (dtype) {
    case DataType::kFloat16:
      return 2;
    case DataType::kBFloat16:
      return 3;
    case DataType::kFloat32:
      return 4;
  }
  return 0;
}

Header HeaderOf(const KvLayout& layout, int tokens) {
  return {static_cast<int32_t>(layout.all_token_bytes() * tokens),
          kFormatKv2ltd,
          DtypeNumber(layout.dtype),
          2,
          layout.layers,
          tokens,
          layout.kv_heads * layout.head_dim};
}

/// Calls copy(block's bytes, bytes of the object, number of bytes) for each run of `wanted` that
/// lies in one block, in one layer, in K or in V. `object` points to the bytes behind the header.
template <typename Byte, typename Copy>
void ForEachRun(const KvLayout& layout, const compute::KvPool& kv,
                std::span<const int32_t> block_table, TokenRange chunk, TokenRange wanted,
                Byte* object, Copy copy) {
  const size_t token_bytes = layout.token_bytes();
  const size_t plane_bytes = token_bytes * chunk.size();
  for (KvPart part : {KvPart::kKey, KvPart::kValue}) {
    for (int layer = 0; layer < layout.layers; ++layer) {
      Byte* plane = object + (static_cast<size_t>(part) * layout.layers + layer) * plane_bytes;
      for (int position = wanted.begin; position < wanted.end;) {
        const int in_block = position % layout.block_tokens;
        const int run = std::min(layout.block_tokens - in_block, wanted.end - position);
        std::byte* block = kv.Block(layer, part, block_table[position / layout.block_tokens]);
        copy(block + in_block * token_bytes, plane + (position - chunk.begin) * token_bytes,
             run * token_bytes);
        position += run;
      }
    }
  }
}

}  // namespace

size_t KvCodec::header_bytes() const { return header_ ? sizeof(Header) : 0; }

size_t KvCodec::EncodedBytes(int tokens) const {
  return header_bytes() + layout_.all_token_bytes() * tokens;
}

void KvCodec::Encode(const compute::KvPool& kv, std::span<const int32_t> block_table,
                     TokenRange chunk, std::span<std::byte> bytes) const {
  if (header_) {
    const Header header = HeaderOf(layout_, chunk.size());
    std::memcpy(bytes.data(), header.data(), sizeof(header));
  }
  ForEachRun(layout_, kv, block_table, chunk, chunk, bytes.data() + header_bytes(),
             [](const std::byte* block, std::byte* object, size_t size) {
               std::memcpy(object, block, size);
             });
}

absl::Status KvCodec::Decode(std::span<const std::byte> bytes, TokenRange chunk, TokenRange wanted,
                             const compute::KvPool& kv,
                             std::span<const int32_t> block_table) const {
  if (bytes.size() != EncodedBytes(chunk.size())) {
    return absl::DataLossError(fmt::format("object of {} bytes; {} tokens take {}", bytes.size(),
                                           chunk.size(), EncodedBytes(chunk.size())));
  }
  if (header_) {
    const Header expected = HeaderOf(layout_, chunk.size());
    if (std::memcmp(bytes.data(), expected.data(), sizeof(expected)) != 0) {
      return absl::DataLossError("object's header is of another layout");
    }
  }
  ForEachRun(layout_, kv, block_table, chunk, wanted, bytes.data() + header_bytes(),
             [](std::byte* block, const std::byte* object, size_t size) {
               std::memcpy(block, object, size);
             });
  return absl::OkStatus();
}

}  // namespace tandem::cache

#include "cache/kv_codec.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace tandem::cache {
namespace {

using compute::DataType;
using compute::KvLayout;
using compute::KvPart;
using compute::KvPool;

constexpr KvLayout kSmall = {
    .layers = 3, .kv_heads = 2, .head_dim = 4, .dtype = DataType::kFloat16};

std::vector<std::byte> CountingBytes(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 131 + i / 251);
  return bytes;
}

void FillBlock(const KvPool& kv, int32_t block, uint8_t value) {
  for (int layer = 0; layer < kv.layout().layers; ++layer) {
    for (KvPart part : {KvPart::kKey, KvPart::kValue}) {
      std::memset(kv.Block(layer, part, block), value, kv.layout().block_bytes());
    }
  }
}

const std::byte* At(const KvPool& kv, const std::vector<int32_t>& table, int layer, KvPart part,
                    int position) {
  const int block_tokens = kv.layout().block_tokens;
  return kv.Block(layer, part, table[position / block_tokens]) +
         position % block_tokens * kv.layout().token_bytes();
}

/// Checks positions [begin, end) against bytes [2, layers, tokens, heads * dim] of `chunk`.
void ExpectLayout(const KvPool& kv, const std::vector<int32_t>& table, TokenRange chunk,
                  TokenRange wanted, std::span<const std::byte> bytes) {
  const KvLayout& layout = kv.layout();
  for (int part = 0; part < 2; ++part) {
    for (int layer = 0; layer < layout.layers; ++layer) {
      for (int position = wanted.begin; position < wanted.end; ++position) {
        const size_t index =
            (size_t(part) * layout.layers + layer) * chunk.size() + position - chunk.begin;
        EXPECT_EQ(std::memcmp(At(kv, table, layer, static_cast<KvPart>(part), position),
                              bytes.data() + index * layout.token_bytes(), layout.token_bytes()),
                  0)
            << "part " << part << " layer " << layer << " position " << position;
      }
    }
  }
}

TEST(KvCodecTest, ScattersKv2ltdAndGathersTheSameBytes) {
  const KvPool kv = *KvPool::Create(kSmall, 8);
  const KvCodec codec(kSmall, /*header=*/false);
  const std::vector<int32_t> table = {5, 2, 7, 0};
  // Ranges that start and end inside blocks and on their edges.
  for (const TokenRange chunk : {TokenRange{0, 16}, {0, 50}, {16, 48}, {20, 37}, {63, 64}}) {
    const auto bytes = CountingBytes(codec.EncodedBytes(chunk.size()));
    ASSERT_TRUE(codec.Decode(bytes, chunk, chunk, kv, table).ok());
    ExpectLayout(kv, table, chunk, chunk, bytes);
    std::vector<std::byte> again(bytes.size());
    codec.Encode(kv, table, chunk, again);
    EXPECT_EQ(again, bytes);
  }
}

TEST(KvCodecTest, WritesOnlyWhatIsWanted) {
  const KvPool kv = *KvPool::Create(kSmall, 4);
  const KvCodec codec(kSmall, false);
  const std::vector<int32_t> table = {3, 1};
  for (int32_t block : table) FillBlock(kv, block, 0xEE);
  const TokenRange chunk = {0, 32};
  const TokenRange wanted = {10, 21};
  const auto bytes = CountingBytes(codec.EncodedBytes(chunk.size()));
  ASSERT_TRUE(codec.Decode(bytes, chunk, wanted, kv, table).ok());
  ExpectLayout(kv, table, chunk, wanted, bytes);
  const std::vector<std::byte> untouched(kSmall.token_bytes(), std::byte{0xEE});
  for (int position : {0, 9, 21, 31}) {
    EXPECT_EQ(
        std::memcmp(At(kv, table, 1, KvPart::kValue, position), untouched.data(), untouched.size()),
        0);
  }
}

TEST(KvCodecTest, HeaderIsLmcachesRemoteMetadata) {
  const KvPool kv = *KvPool::Create(kSmall, 2);
  const KvCodec codec(kSmall, /*header=*/true);
  const std::vector<int32_t> table = {1};
  EXPECT_EQ(codec.EncodedBytes(10), 28 + 2 * 3 * 10 * 8 * 2u);
  std::vector<std::byte> bytes(codec.EncodedBytes(10));
  codec.Encode(kv, table, {0, 10}, bytes);
  int32_t header[7];
  std::memcpy(header, bytes.data(), sizeof(header));
  EXPECT_EQ(std::vector<int32_t>(header, header + 7),
            (std::vector<int32_t>{960, 1, 2, 2, 3, 10, 8}));
  EXPECT_TRUE(codec.Decode(bytes, {0, 10}, {0, 10}, kv, table).ok());
}

TEST(KvCodecTest, DtypesAreNumberedAsLmcacheDoes) {
  for (const auto& [dtype, number] :
       {std::pair{DataType::kFloat16, 2}, std::pair{DataType::kBFloat16, 3},
        std::pair{DataType::kFloat32, 4}}) {
    KvLayout layout = kSmall;
    layout.dtype = dtype;
    const KvPool kv = *KvPool::Create(layout, 1);
    const KvCodec codec(layout, true);
    std::vector<std::byte> bytes(codec.EncodedBytes(1));
    codec.Encode(kv, std::vector<int32_t>{0}, {0, 1}, bytes);
    int32_t header[7];
    std::memcpy(header, bytes.data(), sizeof(header));
    EXPECT_EQ(header[2], number);
  }
}

TEST(KvCodecTest, RefusesOtherSizesAndHeadersAndWritesNothing) {
  const KvPool kv = *KvPool::Create(kSmall, 1);
  const std::vector<int32_t> table = {0};
  FillBlock(kv, 0, 0xEE);
  const KvCodec raw(kSmall, false);
  for (size_t size : {size_t{0}, raw.EncodedBytes(9), raw.EncodedBytes(10) + 28}) {
    const auto bytes = CountingBytes(size);
    EXPECT_EQ(raw.Decode(bytes, {0, 10}, {0, 10}, kv, table).code(), absl::StatusCode::kDataLoss);
  }
  const KvCodec headed(kSmall, true);
  std::vector<std::byte> bytes(headed.EncodedBytes(10));
  headed.Encode(kv, table, {0, 10}, bytes);
  FillBlock(kv, 0, 0xDD);
  bytes[8] = std::byte{3};  // bfloat16
  EXPECT_EQ(headed.Decode(bytes, {0, 10}, {0, 10}, kv, table).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(kv.Block(0, KvPart::kKey, 0)[0], std::byte{0xDD});
}

TEST(KvCodecTest, ReadsTheReferencesKvOfSmolLm2) {
  const std::string path = TANDEM_SOURCE_DIR "/../shared/fixtures/smollm2/kv_2ltd_first20.f16.bin";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  constexpr KvLayout kSmolLm2 = {.layers = 30, .kv_heads = 3, .head_dim = 64};
  const KvCodec codec(kSmolLm2, false);
  std::vector<std::byte> bytes(std::filesystem::file_size(path));
  ASSERT_EQ(bytes.size(), codec.EncodedBytes(20));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const KvPool kv = *KvPool::Create(kSmolLm2, 4);
  const std::vector<int32_t> table = {2, 0};
  ASSERT_TRUE(codec.Decode(bytes, {0, 20}, {0, 20}, kv, table).ok());
  ExpectLayout(kv, table, {0, 20}, {0, 20}, bytes);
  std::vector<std::byte> again(bytes.size());
  codec.Encode(kv, table, {0, 20}, again);
  EXPECT_EQ(again, bytes);
}

}  // namespace
}  // namespace tandem::cache

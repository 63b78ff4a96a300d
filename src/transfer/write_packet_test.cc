#include "transfer/write_packet.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tandem::transfer {
namespace {

StagedPiece Piece(uint64_t length, const std::string& key = "") {
  return {.extent = {4096, 1 << 20, 7},
          .staged_at = 100,
          .position = 200,
          .length = length,
          .last = !key.empty(),
          .hard_pin = true,
          .key = key};
}

TEST(WritePacketTest, CarriesPieces) {
  WritePacket packet;
  ASSERT_TRUE(packet.Add(Piece(10)));
  ASSERT_TRUE(packet.Add(Piece(20, "a key")));
  const auto pieces = UnpackWrite(packet.bytes());
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  ASSERT_EQ(pieces->size(), 2u);
  EXPECT_EQ((*pieces)[0].extent, (Extent{4096, 1 << 20, 7}));
  EXPECT_EQ((*pieces)[0].staged_at, 100u);
  EXPECT_EQ((*pieces)[0].position, 200u);
  EXPECT_EQ((*pieces)[0].length, 10u);
  EXPECT_FALSE((*pieces)[0].last);
  EXPECT_EQ((*pieces)[1].key, "a key");
  EXPECT_TRUE((*pieces)[1].last);
  EXPECT_TRUE((*pieces)[1].hard_pin);
  EXPECT_FALSE((*pieces)[1].soft_pin);
}

TEST(WritePacketTest, IsFullByBytesStagedAndByItsOwn) {
  WritePacket packet;
  EXPECT_TRUE(packet.Add(Piece(kMaxStagedBytes)));
  EXPECT_EQ(packet.staged(), kMaxStagedBytes);
  EXPECT_FALSE(packet.Add(Piece(1)));
  packet.Clear();
  EXPECT_TRUE(packet.empty());
  int added = 0;
  while (packet.Add(Piece(1, std::string(1024, 'k')))) ++added;
  EXPECT_GT(added, 20);
  EXPECT_LE(packet.bytes().size(), kMaxWritePacketBytes);
  EXPECT_TRUE(UnpackWrite(packet.bytes()).ok());
}

TEST(WritePacketTest, RefusesWhatNoWriterMakes) {
  const auto refuses = [](StagedPiece piece) {
    WritePacket packet;
    packet.Add(piece);
    return absl::IsInvalidArgument(UnpackWrite(packet.bytes()).status());
  };
  EXPECT_TRUE(refuses(Piece(0)));
  EXPECT_TRUE(refuses(Piece(kMaxStagedBytes + 1)));
  EXPECT_TRUE(refuses(Piece(1, std::string(1025, 'k'))));
  StagedPiece piece = Piece(10);
  piece.position = (1 << 20) - 9;
  EXPECT_TRUE(refuses(piece));
  piece = Piece(10);
  piece.staged_at = kStagingBytes - 9;
  EXPECT_TRUE(refuses(piece));
  piece = Piece(10);
  piece.last = true;  // without a key
  EXPECT_TRUE(refuses(piece));
  WritePacket packet;
  packet.Add(Piece(10));
  EXPECT_FALSE(UnpackWrite(packet.bytes().first(20)).ok());
  EXPECT_FALSE(UnpackWrite(packet.bytes().first(4)).ok());
  EXPECT_FALSE(UnpackWrite({}).ok());
}

TEST(WritePacketTest, CarriesResults) {
  const std::vector<PieceResult> results = {
      {}, {absl::StatusCode::kUnavailable, 0}, {absl::StatusCode::kOk, 0xdeadbeefcafe}};
  const std::vector<std::byte> packed = PackResults(results);
  const auto unpacked = UnpackResults(packed);
  ASSERT_TRUE(unpacked.ok());
  ASSERT_EQ(unpacked->size(), 3u);
  EXPECT_EQ((*unpacked)[1].code, absl::StatusCode::kUnavailable);
  EXPECT_EQ((*unpacked)[2].checksum, 0xdeadbeefcafe);
  EXPECT_FALSE(UnpackResults(std::span(packed).first(9)).ok());
  EXPECT_FALSE(UnpackResults(std::vector<std::byte>(16, std::byte{0x77})).ok());
}

}  // namespace
}  // namespace tandem::transfer

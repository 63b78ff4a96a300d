#include "store/disk/record.h"

#include <gtest/gtest.h>

namespace tandem::store {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

const StoredObject kObject{"a key", 77, 1000, 0x1234, true};

TEST(Record, IsReadBackFromItsHead) {
  const std::string head = PackHead(kObject, 5, 1024);
  const auto read = UnpackHead(Bytes(head), 5, 1024);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->object, kObject);
  EXPECT_FALSE(read->removed);
  EXPECT_TRUE(UnpackHead(Bytes(head + "what follows"), 5, 1024).ok());
}

TEST(Record, HasRoomForKeyAndBytesAtMultiples) {
  EXPECT_EQ(BytesOffset(1), 128u);
  EXPECT_EQ(BytesOffset(64), 128u);
  EXPECT_EQ(BytesOffset(65), 192u);
  EXPECT_EQ(RecordLength(5, 384), 512u);
  EXPECT_EQ(RecordLength(5, 385), 1024u);
}

TEST(Record, TellsRemovedOnesApart) {
  std::string head = PackHead(kObject, 5, 1024);
  head.replace(kRemovedOffset, 8, PackRemoved());
  const auto read = UnpackHead(Bytes(head), 5, 1024);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->removed);
}

TEST(Record, BelongsToItsFileAndPlace) {
  const std::string head = PackHead(kObject, 5, 1024);
  EXPECT_FALSE(UnpackHead(Bytes(head), 6, 1024).ok());
  EXPECT_FALSE(UnpackHead(Bytes(head), 5, 1536).ok());
}

TEST(Record, EveryDamagedByteOfTheHeadIsFound) {
  const std::string head = PackHead(kObject, 5, 1024);
  for (size_t i = 0; i < head.size(); ++i) {
    if (i >= kRemovedOffset && i < kRemovedOffset + 8) continue;
    std::string damaged = head;
    damaged[i] ^= 1;
    EXPECT_FALSE(UnpackHead(Bytes(damaged), 5, 1024).ok()) << "byte " << i;
  }
  for (size_t length = 0; length < head.size(); ++length) {
    EXPECT_FALSE(UnpackHead(Bytes(head.substr(0, length)), 5, 1024).ok()) << length << " bytes";
  }
}

TEST(FileHeader, IsReadBack) {
  const std::string block = PackFileHeader({.number = 3, .nonce = 9});
  EXPECT_EQ(block.size(), kFileHeaderBytes);
  const auto header = UnpackFileHeader(Bytes(block));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->number, 3u);
  EXPECT_EQ(header->nonce, 9u);
  for (const size_t damaged : {0, 8, 16, 24}) {
    std::string other = block;
    other[damaged] ^= 1;
    EXPECT_FALSE(UnpackFileHeader(Bytes(other)).ok());
  }
}

}  // namespace
}  // namespace tandem::store

#include "base/hash.h"

#include <gtest/gtest.h>

#include <vector>

namespace tandem {
namespace {

TEST(Sha256, MatchesTheStandardsExample) {
  EXPECT_EQ(ToHex(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Checksum64, MatchesTheAlgorithmsEmptyInput) { EXPECT_EQ(Checksum64({}), 0x2d06800538d394c2u); }

TEST(Checksum64, ChangesWithOneBit) {
  std::vector<std::byte> bytes(1000);
  const uint64_t before = Checksum64(bytes);
  bytes[500] = std::byte{1};
  EXPECT_NE(Checksum64(bytes), before);
}

TEST(StreamingChecksum, EqualsTheChecksumOfTheWhole) {
  std::vector<std::byte> bytes(100'000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31);
  StreamingChecksum checksum;
  checksum.Update(std::span(bytes).first(777));
  checksum.Update(std::span(bytes).subspan(777));
  EXPECT_EQ(checksum.Digest(), Checksum64(bytes));
}

}  // namespace
}  // namespace tandem

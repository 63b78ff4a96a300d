#include "base/checksummed_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace tandem {
namespace {

std::vector<std::byte> RandomBytes(size_t size) {
  std::mt19937_64 random(size);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

TEST(ChecksummedCopyTest, CopiesAnyLengthToAnyAddress) {
  // Around cache lines, pieces and the length from which the caches are bypassed.
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{4096}, size_t{(128 << 10) + 1},
        size_t{(256 << 10) - 1}, size_t{256 << 10}, size_t{(1 << 20) + 77}}) {
    const std::vector<std::byte> source = RandomBytes(size + 3);
    for (const size_t shift : {0, 1, 17, 63}) {
      std::vector<std::byte> target(size + 128, std::byte{0x5a});
      const std::span<const std::byte> from = std::span(source).subspan(3);
      StreamingChecksum checksum;
      CopyWithChecksum(std::span(target).subspan(shift, size), from, checksum);
      EXPECT_EQ(checksum.Digest(), Checksum64(from)) << size;
      EXPECT_TRUE(std::ranges::equal(std::span(target).subspan(shift, size), from)) << size;
      const auto untouched = [](std::byte byte) { return byte == std::byte{0x5a}; };
      EXPECT_TRUE(std::ranges::all_of(std::span(target).first(shift), untouched)) << size;
      EXPECT_TRUE(std::ranges::all_of(std::span(target).subspan(shift + size), untouched)) << size;
    }
  }
}

TEST(ChecksummedCopyTest, ChecksumsRunOverSeveralCopies) {
  const std::vector<std::byte> source = RandomBytes(700'000);
  std::vector<std::byte> target(source.size());
  StreamingChecksum checksum;
  size_t done = 0;
  for (const size_t part : {1, 299'999, 400'000}) {
    CopyWithChecksum(std::span(target).subspan(done), std::span(source).subspan(done, part),
                     checksum);
    done += part;
  }
  EXPECT_EQ(target, source);
  EXPECT_EQ(checksum.Digest(), Checksum64(source));
}

}  // namespace
}  // namespace tandem

#include "base/byte_size.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(ByteSize, IsANumberWithOrWithoutAUnit) {
  EXPECT_EQ(ParseByteSize("0"), 0u);
  EXPECT_EQ(ParseByteSize("16777216"), 16u << 20);
  EXPECT_EQ(ParseByteSize("9223372036854775807"), (uint64_t{1} << 63) - 1);
  EXPECT_EQ(ParseByteSize("12b"), 12u);
  EXPECT_EQ(ParseByteSize("64k"), 64u << 10);
  EXPECT_EQ(ParseByteSize("16MB"), 16u << 20);
  EXPECT_EQ(ParseByteSize("16 mb"), 16u << 20);
  EXPECT_EQ(ParseByteSize("1.5MiB"), 3u << 19);
  EXPECT_EQ(ParseByteSize("5gb"), uint64_t{5} << 30);
  EXPECT_EQ(ParseByteSize("2T"), uint64_t{2} << 40);
}

TEST(ByteSize, IsNothingElse) {
  for (const char* wrong : {"", " ", "mb", "abc", "16mbx", "16 m b", "-1", "-1mb", "1e400", "nan",
                            "inf", "0x10", "9223372036854775808", "8388608tb", "1,5mb", "+1"}) {
    EXPECT_EQ(ParseByteSize(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace tandem

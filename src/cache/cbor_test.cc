#include "cache/cbor.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/hash.h"

namespace tandem::cache {
namespace {

std::string HexOf(const std::function<void(CborWriter&)>& write) {
  CborWriter cbor;
  write(cbor);
  return ToHex({reinterpret_cast<const uint8_t*>(cbor.bytes().data()), cbor.bytes().size()});
}

// The examples of RFC 8949, appendix A.
TEST(CborTest, WritesIntegersInTheirShortestForm) {
  const std::pair<int64_t, const char*> cases[] = {{0, "00"},
                                                   {1, "01"},
                                                   {10, "0a"},
                                                   {23, "17"},
                                                   {24, "1818"},
                                                   {25, "1819"},
                                                   {100, "1864"},
                                                   {1000, "1903e8"},
                                                   {1000000, "1a000f4240"},
                                                   {1000000000000, "1b000000e8d4a51000"},
                                                   {-1, "20"},
                                                   {-10, "29"},
                                                   {-100, "3863"},
                                                   {-1000, "3903e7"}};
  for (const auto& [value, hex] : cases) {
    EXPECT_EQ(HexOf([value = value](CborWriter& cbor) { cbor.Integer(value); }), hex) << value;
  }
}

TEST(CborTest, WritesTheLargestUnsigned) {
  EXPECT_EQ(HexOf([](CborWriter& cbor) { cbor.Unsigned(18446744073709551615u); }),
            "1bffffffffffffffff");
}

TEST(CborTest, WritesText) {
  EXPECT_EQ(HexOf([](CborWriter& cbor) { cbor.Text(""); }), "60");
  EXPECT_EQ(HexOf([](CborWriter& cbor) { cbor.Text("IETF"); }), "6449455446");
  EXPECT_EQ(HexOf([](CborWriter& cbor) { cbor.Text("\u6c34"); }), "63e6b0b4");
}

TEST(CborTest, WritesArrays) {
  EXPECT_EQ(HexOf([](CborWriter& cbor) {
              cbor.Array(3);
              cbor.Integer(1);
              cbor.Array(2);
              cbor.Integer(2);
              cbor.Integer(3);
              cbor.Array(0);
            }),
            "830182020380");
  EXPECT_EQ(HexOf([](CborWriter& cbor) { cbor.Array(25); }), "9819");
}

}  // namespace
}  // namespace tandem::cache

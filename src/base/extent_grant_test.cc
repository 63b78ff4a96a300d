#include "base/extent_grant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr GrantedExtent kExtent{4096, 100, 7, Access::kRead};

std::string Refusal(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  return std::string(status.message());
}

TEST(ExtentGrant, AllowsWhatWasSignedUntilItExpires) {
  const auto key = ExtentGrantKey::Random();
  const ExtentGrant grant = key.Sign(kExtent, 1000);
  EXPECT_TRUE(key.Check(kExtent, grant, 0).ok());
  EXPECT_TRUE(key.Check(kExtent, grant, 1000).ok());
  EXPECT_THAT(Refusal(key.Check(kExtent, grant, 3001)), HasSubstr("expired 2 s ago"));
  const auto same = ExtentGrantKey::FromBytes(key.bytes());
  ASSERT_TRUE(same.ok());
  EXPECT_TRUE(same->Check(kExtent, grant, 0).ok());
}

TEST(ExtentGrant, IsForNothingElse) {
  const auto key = ExtentGrantKey::Random();
  const ExtentGrant grant = key.Sign(kExtent, 1000);
  for (GrantedExtent other :
       {GrantedExtent{4097, 100, 7}, GrantedExtent{4096, 101, 7}, GrantedExtent{4096, 100, 8},
        GrantedExtent{4096, 100, 7, Access::kWrite},
        GrantedExtent{4096, 100, 7, Access::kReadFromDisk}}) {
    EXPECT_THAT(Refusal(key.Check(other, grant, 0)), HasSubstr("not one of the master's"));
  }
  EXPECT_THAT(Refusal(ExtentGrantKey::Random().Check(kExtent, grant, 0)),
              HasSubstr("not one of the master's"));
  EXPECT_THAT(Refusal(key.Check(kExtent, {}, 0)), HasSubstr("no grant"));
  // Each bit counts, those of the time included.
  for (size_t bit = 0; bit < grant.size() * 8; ++bit) {
    ExtentGrant forged = grant;
    forged[bit / 8] ^= uint8_t(1 << (bit % 8));
    EXPECT_FALSE(key.Check(kExtent, forged, 0).ok()) << bit;
  }
}

TEST(ExtentGrant, IsAnHmac) {
  const std::string bytes(ExtentGrantKey::kBytes, 'k');
  const ExtentGrant grant = ExtentGrantKey::FromBytes(bytes)->Sign(kExtent, 1000);
  const uint64_t message[] = {1, 4096, 100, 7, 1000};
  uint8_t code[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha256(), bytes.data(), int(bytes.size()), reinterpret_cast<const uint8_t*>(message),
       sizeof(message), code, &length);
  EXPECT_TRUE(std::equal(grant.begin() + 8, grant.end(), code));
  EXPECT_FALSE(ExtentGrantKey::FromBytes("short").ok());
}

TEST(ExtentGrant, TravelsAsBytes) {
  const ExtentGrant grant = ExtentGrantKey::Random().Sign(kExtent, 1000);
  EXPECT_EQ(UnpackGrant(PackGrant(grant)), grant);
  EXPECT_EQ(UnpackGrant("short"), ExtentGrant{});
  EXPECT_EQ(UnpackGrant(""), ExtentGrant{});
}

}  // namespace
}  // namespace tandem

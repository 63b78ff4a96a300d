// Grants and tokens as strangers may send them: none that was not signed is accepted.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/bearer_token.h"
#include "base/extent_grant.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  static const ExtentGrantKey key = ExtentGrantKey::Random();
  static const BearerToken token = *BearerToken::Of("0123456789abcdef");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ExtentGrant grant = UnpackGrant(bytes);
  if (key.Check({0, 1 << 20, 1, Access::kRead}, grant, 0).ok()) std::abort();
  if (token.Check(bytes).ok() && bytes != token.Authorization()) std::abort();
  if (const auto other = ExtentGrantKey::FromBytes(bytes); other.ok()) {
    const GrantedExtent extent{0, 1 << 20, 1, Access::kWrite};
    if (!other->Check(extent, other->Sign(extent, 5), 5).ok()) std::abort();
  }
  (void)BearerToken::Of(bytes);
  return 0;
}

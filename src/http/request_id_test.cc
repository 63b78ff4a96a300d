#include "http/request_id.h"

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

TEST(RequestIdTest, KeepsWhatTheClientSent) {
  EXPECT_EQ(RequestId({{"x-request-id", "abc-1_2.3:4"}}), "abc-1_2.3:4");
}

TEST(RequestIdTest, MakesANewOneInPlaceOfNoneOrAnUnfitOne) {
  for (const std::string& sent : {std::string("a b"), std::string("a\nb"), std::string("ä"),
                                  std::string(), std::string(200, 'x')}) {
    const std::string id = RequestId({{"X-Request-Id", sent}});
    EXPECT_EQ(id.size(), 32u);
    EXPECT_NE(id, sent);
  }
  EXPECT_NE(RequestId({}), RequestId({}));
}

}  // namespace
}  // namespace tandem::http

#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::http {
namespace {

using ::testing::Optional;

TEST(HeadersTest, NamesCompareWithoutCase) {
  Headers headers{{"Content-Type", "text/plain"}};
  headers.Add("X-Request-Id", "7");
  EXPECT_THAT(headers.Get("content-type"), Optional(std::string("text/plain")));
  EXPECT_THAT(headers.Get("x-request-ID"), Optional(std::string("7")));
  EXPECT_EQ(headers.Get("Accept"), std::nullopt);
}

TEST(HeadersTest, SetReplacesEveryFieldOfTheName) {
  Headers headers{{"A", "1"}, {"a", "2"}, {"B", "3"}};
  headers.Set("A", "4");
  const std::vector<std::pair<std::string, std::string>> fields(headers.begin(), headers.end());
  EXPECT_THAT(fields, testing::ElementsAre(testing::Pair("B", "3"), testing::Pair("A", "4")));
}

TEST(RequestTest, QueryValueDecodes) {
  const Request request{.query = "a=1&key=mooncake%2Fram%2Fhost+1&flag&a=2"};
  EXPECT_THAT(request.QueryValue("key"), Optional(std::string("mooncake/ram/host 1")));
  EXPECT_THAT(request.QueryValue("a"), Optional(std::string("1")));
  EXPECT_THAT(request.QueryValue("flag"), Optional(std::string()));
  EXPECT_EQ(request.QueryValue("ke"), std::nullopt);
}

TEST(RequestTest, QueryValueKeepsBrokenEscapes) {
  const Request request{.query = "k=100%&m=%zz"};
  EXPECT_THAT(request.QueryValue("k"), Optional(std::string("100%")));
  EXPECT_THAT(request.QueryValue("m"), Optional(std::string("%zz")));
}

}  // namespace
}  // namespace tandem::http

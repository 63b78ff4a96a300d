#include "api/server/authorization.h"

#include <gtest/gtest.h>

namespace tandem::api {
namespace {

http::Request RequestWith(const std::string& path, const std::string& authorization) {
  http::Request request{.method = "GET", .path = path};
  if (!authorization.empty()) request.headers.Set("Authorization", authorization);
  return request;
}

TEST(AuthorizationTest, EveryoneMayCallWithoutKeys) {
  EXPECT_TRUE(Authorization({}).Check(RequestWith("/v1/models", "")).ok());
}

TEST(AuthorizationTest, AsksForOneOfTheKeys) {
  const Authorization authorization({"one", "two"});
  EXPECT_TRUE(authorization.Check(RequestWith("/v1/models", "Bearer two")).ok());
  for (const char* wrong : {"", "Bearer three", "Bearer ", "Basic one", "one"}) {
    EXPECT_EQ(authorization.Check(RequestWith("/v1/models", wrong)).code(),
              absl::StatusCode::kUnauthenticated)
        << wrong;
  }
}

TEST(AuthorizationTest, GuardsOnlyTheApi) {
  EXPECT_TRUE(Authorization({"one"}).Check(RequestWith("/health", "")).ok());
}

}  // namespace
}  // namespace tandem::api

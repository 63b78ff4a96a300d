#include "api/schema/error.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace tandem::api {
namespace {

TEST(ErrorTest, TellsTheFieldOfAFieldError) {
  const boost::json::object body = ErrorBody(FieldError("top_p", "top_p must be small"));
  EXPECT_EQ(boost::json::serialize(body),
            R"({"error":{"message":"top_p must be small","type":"BadRequestError",)"
            R"("param":"top_p","code":400}})");
}

TEST(ErrorTest, AnErrorWithoutFieldHasANullParam) {
  const boost::json::object body = ErrorBody(absl::NotFoundError("no such model"));
  const boost::json::object& error = body.at("error").as_object();
  EXPECT_TRUE(error.at("param").is_null());
  EXPECT_EQ(error.at("type"), "NotFoundError");
  EXPECT_EQ(error.at("code"), 404);
}

TEST(ErrorTest, MapsStatusCodesToHttp) {
  EXPECT_EQ(HttpStatus(absl::InvalidArgumentError("")), 400);
  EXPECT_EQ(HttpStatus(absl::UnauthenticatedError("")), 401);
  EXPECT_EQ(HttpStatus(absl::UnimplementedError("")), 501);
  EXPECT_EQ(HttpStatus(absl::UnavailableError("")), 503);
  EXPECT_EQ(HttpStatus(absl::DeadlineExceededError("")), 504);
  EXPECT_EQ(HttpStatus(absl::InternalError("")), 500);
}

}  // namespace
}  // namespace tandem::api

#include "base/bearer_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/test_certificates.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

TEST(BearerToken, LetsEverybodyInWhereThereIsNone) {
  EXPECT_TRUE(BearerToken().Check("").ok());
  EXPECT_TRUE(BearerToken().Check("Bearer anything").ok());
}

TEST(BearerToken, LetsOnlyItselfIn) {
  const auto token = BearerToken::Of("s3cret");
  ASSERT_TRUE(token.ok());
  EXPECT_TRUE(token->Check(token->Authorization()).ok());
  for (const char* wrong : {"Bearer s3cre", "Bearer s3crets", "Bearer S3cret", "Bearer  s3cret"}) {
    const absl::Status status = token->Check(wrong);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr("is not the one"));
    EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("s3c")));
  }
  for (const char* none : {"", "Bearer ", "Basic s3cret", "s3cret"}) {
    EXPECT_THAT(std::string(token->Check(none).message()), HasSubstr("none was sent")) << none;
  }
}

TEST(BearerToken, IsReadFromAFile) {
  TestCertificates files;
  EXPECT_EQ(BearerToken::FromFile(files.Write("a", "word\n"))->secret(), "word");
  EXPECT_EQ(BearerToken::FromFile(files.Write("b", "word"))->secret(), "word");
  EXPECT_EQ(BearerToken::FromFile(files.Write("c", std::string(4096, 'x') + "\n"))->secret().size(),
            4096u);
  for (const std::string& text : {std::string(), std::string("\n"), std::string("two words\n"),
                                  std::string("two\nlines\n"), std::string(4097, 'x')}) {
    const absl::Status status = BearerToken::FromFile(files.Write("d", text)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("printable characters"));
    EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("two")));
  }
  EXPECT_THAT(std::string(BearerToken::FromFile("/nowhere").status().message()),
              HasSubstr("'/nowhere' cannot be read"));
  EXPECT_FALSE(BearerToken::FromFile("/").ok());
}

}  // namespace
}  // namespace tandem

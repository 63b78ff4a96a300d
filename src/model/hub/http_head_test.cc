#include "model/hub/http_head.h"

#include <gtest/gtest.h>

namespace tandem::model::hub {
namespace {

HttpHead Head(std::initializer_list<const char*> lines) {
  HttpHead head;
  for (const char* line : lines) head.AddLine(line);
  return head;
}

TEST(HttpHead, KeepsTheLastReplysFields) {
  const HttpHead head = Head({"HTTP/1.1 302 Found\r\n", "Location: /x\r\n", "\r\n",
                              "HTTP/1.1 206 Partial Content\r\n", "ETAG:  \"ab\" \r\n", "\r\n"});
  EXPECT_EQ(head.status(), 206);
  EXPECT_TRUE(head.ok());
  EXPECT_EQ(head.Field("etag"), "\"ab\"");
  EXPECT_EQ(head.Field("location"), "");
}

TEST(HttpHead, TakesNonsense) {
  const HttpHead head = Head({"HTTP/1.1", "no colon", ": no name", "HTTP/2 x"});
  EXPECT_EQ(head.status(), 0);
  EXPECT_FALSE(head.ok());
}

TEST(ContentRange, IsRead) {
  const auto range = ParseContentRange("bytes 5-9/20");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->first, 5);
  EXPECT_EQ(range->last, 9);
  EXPECT_EQ(range->size, 20);
  EXPECT_EQ(ParseContentRange("bytes 5-9/*")->size, -1);
  for (const char* wrong :
       {"", "bytes", "bytes */20", "bytes 9-5/20", "bytes -1-5/20", "items 0-1/2", "bytes 0-1",
        "bytes 0/1-2", "bytes 0-x/2", "bytes 0-1/-2"}) {
    EXPECT_FALSE(ParseContentRange(wrong).has_value()) << wrong;
  }
}

TEST(Etag, LosesQuotesAndWeakness) {
  EXPECT_EQ(NormalizeEtag("\"ab\""), "ab");
  EXPECT_EQ(NormalizeEtag("W/\"ab\""), "ab");
  EXPECT_EQ(NormalizeEtag("ab"), "ab");
  EXPECT_EQ(NormalizeEtag("\""), "\"");
}

TEST(AskedWait, IsReadFromEitherField) {
  EXPECT_EQ(AskedWait(Head({"HTTP/1.1 429 x", "Retry-After: 7"})), std::chrono::seconds(7));
  EXPECT_EQ(AskedWait(Head({"HTTP/1.1 429 x", "RateLimit: \"resolvers\";r=0;t=55"})),
            std::chrono::seconds(55));
  EXPECT_EQ(AskedWait(Head({"HTTP/1.1 429 x", "Retry-After: soon"})), std::nullopt);
  EXPECT_EQ(AskedWait(Head({"HTTP/1.1 429 x", "RateLimit: \"api\";t=-5"})), std::nullopt);
  EXPECT_EQ(AskedWait(Head({"HTTP/1.1 429 x"})), std::nullopt);
}

}  // namespace
}  // namespace tandem::model::hub

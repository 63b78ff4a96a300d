#include "transfer/stream_frame.h"

#include <gtest/gtest.h>

#include "transfer/put_message.h"

namespace tandem::transfer {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return BytesOf(text); }

RequestFrame Frame(RequestKind kind, uint64_t length, uint64_t body) {
  return {{kind, 5, {0, 1 << 20, 1}, 0, length}, body};
}

TEST(StreamFrame, ComesBackAsItWas) {
  const auto request = UnpackRequestFrame(Bytes(PackFrame(Frame(RequestKind::kWrite, 9, 9))));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->header.id, 5u);
  EXPECT_EQ(request->body_bytes, 9u);
  const auto reply =
      UnpackReplyFrame(Bytes(PackFrame(ReplyFrame{{6, absl::StatusCode::kNotFound}, 7})));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->header.code, absl::StatusCode::kNotFound);
  EXPECT_EQ(reply->body_bytes, 7u);
  const std::string hello = PackHello("word");
  EXPECT_EQ(*UnpackHello(Bytes(hello).first(kHelloBytes)), 4u);
  EXPECT_EQ(hello.substr(kHelloBytes), "word");
}

TEST(StreamFrame, HasTheBodyThatItsKindHas) {
  const auto accepted = [](RequestKind kind, uint64_t length, uint64_t body) {
    return UnpackRequestFrame(Bytes(PackFrame(Frame(kind, length, body)))).ok();
  };
  EXPECT_TRUE(accepted(RequestKind::kRead, 100, 0));
  EXPECT_FALSE(accepted(RequestKind::kRead, 100, 1));
  EXPECT_FALSE(accepted(RequestKind::kForget, 0, 1));
  EXPECT_FALSE(accepted(RequestKind::kWrite, 100, 99));
  EXPECT_TRUE(accepted(RequestKind::kPublish, 0, kMaxObjectBytes));
  EXPECT_FALSE(accepted(RequestKind::kPublish, 0, kMaxObjectBytes + 1));
  EXPECT_TRUE(accepted(RequestKind::kPut, kMaxPutMessageBytes, kMaxPutMessageBytes));
  EXPECT_FALSE(accepted(RequestKind::kPut, kMaxPutMessageBytes + 1, kMaxPutMessageBytes + 1));
  EXPECT_FALSE(accepted(RequestKind::kPut, 100, 99));
  EXPECT_FALSE(accepted(RequestKind::kPut, 100, 101));
}

TEST(StreamFrame, RefusesForeignBytesAndWhatIsTooLong) {
  const std::string hello = PackHello(std::string(kMaxTokenBytes + 1, 'x'));
  EXPECT_FALSE(UnpackHello(Bytes(hello).first(kHelloBytes)).ok());
  EXPECT_FALSE(UnpackHello(Bytes("GET / HTTP/1.1\r\n")).ok());
  EXPECT_FALSE(UnpackHello({}).ok());
  EXPECT_FALSE(UnpackRequestFrame(Bytes(std::string(kRequestFrameBytes, 'x'))).ok());
  EXPECT_FALSE(UnpackRequestFrame({}).ok());
  EXPECT_FALSE(UnpackReplyFrame(Bytes(PackFrame(ReplyFrame{{}, kMaxMessageBytes + 1}))).ok());
  EXPECT_FALSE(UnpackReplyFrame({}).ok());
}

}  // namespace
}  // namespace tandem::transfer

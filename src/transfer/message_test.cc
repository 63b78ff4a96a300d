#include "transfer/message.h"

#include <gtest/gtest.h>

namespace tandem::transfer {
namespace {

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Message, RequestsComeBackAsTheyWere) {
  const RequestHeader sent{RequestKind::kWrite, 77, {4096, 1 << 21, 9}, 1 << 20, 1 << 20,
                           ExtentGrant{1, 2, 3}};
  const auto got = UnpackRequest(Bytes(Pack(sent)));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->kind, RequestKind::kWrite);
  EXPECT_EQ(got->id, 77u);
  EXPECT_EQ(got->extent, sent.extent);
  EXPECT_EQ(got->position, sent.position);
  EXPECT_EQ(got->length, sent.length);
  EXPECT_EQ(got->grant, sent.grant);
}

TEST(Message, RefusesRequestsForBytesOutsideTheirExtent) {
  const auto refused = [](const RequestHeader& header) {
    return absl::IsInvalidArgument(UnpackRequest(Bytes(Pack(header))).status());
  };
  EXPECT_TRUE(refused({RequestKind::kRead, 1, {0, 100, 1}, 0, 101}));
  EXPECT_TRUE(refused({RequestKind::kRead, 1, {0, 100, 1}, 101, 0}));
  EXPECT_TRUE(refused({RequestKind::kRead, 1, {0, 100, 1}, 50, 51}));
  EXPECT_TRUE(refused({RequestKind::kRead, 1, {UINT64_MAX, 100, 1}, 0, 1}));
  EXPECT_TRUE(refused({RequestKind::kRead, 1, {0, 1 << 30, 1}, 0, kMaxMessageBytes + 1}));
  EXPECT_TRUE(refused({static_cast<RequestKind>(9), 1, {0, 100, 1}, 0, 1}));
}

TEST(Message, RefusesForeignBytes) {
  const std::string good = Pack(RequestHeader{RequestKind::kRead, 1, {0, 100, 1}, 0, 1});
  EXPECT_FALSE(UnpackRequest(Bytes(good.substr(1))).ok());
  EXPECT_FALSE(UnpackRequest(Bytes(good + "x")).ok());
  EXPECT_FALSE(UnpackRequest({}).ok());
  EXPECT_FALSE(UnpackReply(Bytes(good)).ok());
}

TEST(Message, RepliesCarryTheStatus) {
  const auto got = UnpackReply(Bytes(Pack(ReplyHeader{5, absl::StatusCode::kNotFound})));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->id, 5u);
  EXPECT_EQ(got->code, absl::StatusCode::kNotFound);
  EXPECT_FALSE(UnpackReply(Bytes(Pack(ReplyHeader{5, static_cast<absl::StatusCode>(99)}))).ok());
}

TEST(Message, ObjectsNeedAKeyAndFitTheirExtent) {
  const HeldObject object{"key", {0, 100, 1}, 90, 123, false, true};
  const auto got = UnpackObject(object.extent, Bytes(PackObject(object)));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->key, "key");
  EXPECT_EQ(got->size, 90u);
  EXPECT_EQ(got->checksum, 123u);
  EXPECT_TRUE(got->hard_pin);
  EXPECT_FALSE(UnpackObject({0, 89, 1}, Bytes(PackObject(object))).ok());
  EXPECT_FALSE(UnpackObject({0, 100, 1}, Bytes(PackObject({"", {0, 100, 1}, 90, 1}))).ok());
  const std::string longest(1 << 10, 'k');
  EXPECT_TRUE(UnpackObject({0, 100, 1}, Bytes(PackObject({longest, {0, 100, 1}, 90, 1}))).ok());
  EXPECT_FALSE(
      UnpackObject({0, 100, 1}, Bytes(PackObject({longest + "k", {0, 100, 1}, 90, 1}))).ok());
}

}  // namespace
}  // namespace tandem::transfer

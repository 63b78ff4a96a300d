#include "transfer/put_message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace tandem::transfer {
namespace {

using Bytes = std::vector<std::byte>;

/// Adds an object of these bytes, at an extent that is a byte longer.
bool Add(PutMessage& message, const std::string& key, std::span<const std::byte> bytes,
         uint64_t offset = 4096) {
  const HeldObject object{key, {}, bytes.size(), 99, true, false};
  return message.Add({&object, {offset, bytes.size() + 1, 7}, {bytes, nullptr}, {1, 2, 3}});
}

Bytes BodyOf(const PutMessage& message) {
  Bytes body(message.description().begin(), message.description().end());
  for (const ReadableBytes& part : message.bytes()) {
    body.insert(body.end(), part.bytes.begin(), part.bytes.end());
  }
  EXPECT_EQ(body.size(), message.size());
  return body;
}

bool Refuses(std::span<const std::byte> body) {
  return absl::IsInvalidArgument(UnpackPuts(body).status());
}

/// A body with one byte of its only object changed.
Bytes Changed(size_t position, uint8_t value) {
  const Bytes bytes(10);
  PutMessage message;
  Add(message, "key", bytes);
  Bytes body = BodyOf(message);
  body[position] = static_cast<std::byte>(value);
  return body;
}

TEST(PutMessageTest, CarriesObjectsAndTheirBytes) {
  const Bytes first(100, std::byte{5}), none, last(kMaxPutBytes, std::byte{6});
  PutMessage message;
  ASSERT_TRUE(Add(message, "first", first));
  ASSERT_TRUE(Add(message, std::string(kMaxKeyBytes, 'k'), none));
  ASSERT_TRUE(Add(message, "last", last));
  EXPECT_EQ(message.objects(), 3u);
  const Bytes body = BodyOf(message);
  const auto puts = UnpackPuts(body);
  ASSERT_TRUE(puts.ok()) << puts.status();
  ASSERT_EQ(puts->size(), 3u);
  const ReceivedPut& put = (*puts)[0];
  EXPECT_EQ(put.object.key, "first");
  EXPECT_EQ(put.object.extent, (Extent{4096, 101, 7}));
  EXPECT_EQ(put.object.size, 100u);
  EXPECT_EQ(put.object.checksum, 99u);
  EXPECT_TRUE(put.object.soft_pin);
  EXPECT_FALSE(put.object.hard_pin);
  EXPECT_EQ(put.grant, (ExtentGrant{1, 2, 3}));
  EXPECT_TRUE(std::ranges::equal(put.bytes, first));
  EXPECT_EQ((*puts)[1].object.key.size(), kMaxKeyBytes);
  EXPECT_TRUE(std::ranges::equal((*puts)[2].bytes, last));
}

TEST(PutMessageTest, TakesSoManyBytesAndObjects) {
  const Bytes large(kMaxPutBytes), small(1);
  PutMessage bytes, objects;
  for (uint64_t i = 0; i < kMaxPutTogether / kMaxPutBytes; ++i) {
    EXPECT_TRUE(Add(bytes, "key", large));
  }
  EXPECT_FALSE(Add(bytes, "key", small));
  for (size_t i = 0; i < kMaxPutObjects; ++i) {
    EXPECT_TRUE(Add(objects, std::string(kMaxKeyBytes, 'k'), small));
  }
  EXPECT_FALSE(Add(objects, "key", small));
  EXPECT_LE(bytes.size(), kMaxPutMessageBytes);
  EXPECT_LE(objects.size(), kMaxPutMessageBytes);
  EXPECT_TRUE(UnpackPuts(BodyOf(bytes)).ok());
  EXPECT_TRUE(UnpackPuts(BodyOf(objects)).ok());
  Bytes body = BodyOf(objects);
  body[0] = static_cast<std::byte>(kMaxPutObjects + 1);
  EXPECT_TRUE(Refuses(body));
}

TEST(PutMessageTest, RefusesWhatItDoesNotMake) {
  EXPECT_TRUE(Refuses({}));
  const Bytes body = Changed(0, 1);
  ASSERT_TRUE(UnpackPuts(body).ok());
  for (size_t length = 1; length < body.size(); ++length) {
    EXPECT_TRUE(Refuses(std::span(body).first(length))) << length;
  }
  constexpr size_t kCount = 0, kExtentLength = 16, kSize = 40, kKeyBytes = 48;
  EXPECT_TRUE(Refuses(Changed(kCount, 0)));
  EXPECT_TRUE(Refuses(Changed(kCount, 2)));
  EXPECT_TRUE(Refuses(Changed(kExtentLength, 9)));  // shorter than the object
  EXPECT_TRUE(Refuses(Changed(kSize + 2, 1)));      // longer than a put's
  EXPECT_TRUE(Refuses(Changed(kKeyBytes, 0)));
  EXPECT_TRUE(Refuses(Changed(kKeyBytes + 1, 5)));  // too long
  PutMessage message;
  Add(message, "key", body, std::numeric_limits<uint64_t>::max() - body.size());
  EXPECT_TRUE(Refuses(BodyOf(message)));
}

TEST(PutMessageTest, AnswersHaveAKnownCode) {
  const std::vector<absl::StatusCode> codes = {absl::StatusCode::kOk,
                                               absl::StatusCode::kUnauthenticated};
  const auto answers = PackAnswers(codes);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(*UnpackAnswer(answers[0]), codes[0]);
  EXPECT_EQ(*UnpackAnswer(answers[1]), codes[1]);
  EXPECT_FALSE(UnpackAnswer(std::byte{17}).ok());
}

}  // namespace
}  // namespace tandem::transfer

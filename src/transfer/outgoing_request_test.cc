#include "transfer/outgoing_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tandem::transfer {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// Only counts, by lane, what it is given to send.
class CountingTransport : public RequestTransport {
 public:
  const std::string& endpoint() const override { return endpoint_; }
  int port() const override { return 0; }
  void Abandon(const std::string&) override {}
  bool HasGone(const std::string&, TimePoint) override { return false; }
  /// Bytes by lane, since it was last asked.
  std::map<size_t, uint64_t> TakeSent() { return std::exchange(sent_, {}); }

 protected:
  size_t lanes() const override { return 4; }
  void SubmitTo(size_t lane, const std::string&, const SocketAddress&,
                std::vector<OutgoingRequest> requests) override {
    for (OutgoingRequest& request : requests) {
      sent_[lane] += request.header.length;
      request.End(absl::OkStatus());
    }
  }

 private:
  const std::string endpoint_;
  std::map<size_t, uint64_t> sent_;
};

WritableBytes Buffer(size_t size) {
  auto memory = std::make_shared<std::vector<std::byte>>(size);
  return {*memory, memory};
}

constexpr char kPeer[] = "127.0.0.1:1";
constexpr uint64_t kMebibyte = 1 << 20;

TEST(RequestTransportTest, StripesALargeObjectOverAllLanes) {
  CountingTransport transport;
  transport.Read(kPeer, {{{0, 8 * kMebibyte, 1}, Buffer(8 * kMebibyte)}});
  EXPECT_THAT(transport.TakeSent(), ElementsAre(Pair(0, 2 * kMebibyte), Pair(1, 2 * kMebibyte),
                                                Pair(2, 2 * kMebibyte), Pair(3, 2 * kMebibyte)));
}

TEST(RequestTransportTest, StartsEachSmallTransferAtAnotherLane) {
  CountingTransport transport;
  for (int i = 0; i < 4; ++i) transport.Read(kPeer, {{{0, 100, 1}, Buffer(100)}});
  EXPECT_THAT(transport.TakeSent(),
              ElementsAre(Pair(0, 100), Pair(1, 100), Pair(2, 100), Pair(3, 100)));
}

TEST(RequestTransportTest, SendsAnObjectOfABatchOverOneLane) {
  CountingTransport transport;
  const WritableBytes bytes = Buffer(4 * kMebibyte);
  transport.Write(kPeer, {{{0, 4 * kMebibyte, 1}, {bytes.bytes, bytes.hold}}}, Spread::kOne);
  EXPECT_EQ(transport.TakeSent().size(), 1u);
}

}  // namespace
}  // namespace tandem::transfer

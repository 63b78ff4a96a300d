#include "store/proto/local_channel.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "store/proto/local_server.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// A name that no other test process uses.
std::string UniqueName() { return "@tandem-master-test-" + std::to_string(getpid()); }

std::unique_ptr<LocalServer> Echo() {
  return *LocalServer::Start(UniqueName(), [](LocalCall call, const std::string& request) {
    if (call == LocalCall::kPutEnd) return absl::StatusOr<std::string>(absl::AbortedError(request));
    return absl::StatusOr<std::string>(std::to_string(static_cast<int>(call)) + request);
  });
}

TEST(LocalChannelTest, CallsAndIsAnswered) {
  const auto server = Echo();
  LocalChannel channel({"@tandem-master-nobody", UniqueName()});
  auto reply = channel.Call(LocalCall::kExist, "key", In(seconds(10)));
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(**reply, "4key");
  const std::string large(3 << 20, 'x');  // more than the socket holds
  EXPECT_EQ(**channel.Call(LocalCall::kPutStart, large, In(seconds(10))), "1" + large);
  reply = channel.Call(LocalCall::kPutEnd, "why", In(seconds(10)));
  EXPECT_TRUE(absl::IsAborted(reply->status()));
  EXPECT_EQ(reply->status().message(), "why");
}

TEST(LocalChannelTest, WithoutAServerNoCallIsMade) {
  LocalChannel channel({UniqueName()});
  EXPECT_FALSE(channel.Call(LocalCall::kExist, "key", In(seconds(10))).has_value());
  EXPECT_FALSE(LocalChannel({}).Call(LocalCall::kExist, "key", In(seconds(10))).has_value());
}

TEST(LocalChannelTest, FindsTheNextServerAfterALoss) {
  LocalChannel channel({UniqueName()});
  for (int i = 0; i < 3; ++i) {
    const auto server = Echo();
    EXPECT_TRUE(channel.Call(LocalCall::kExist, "key", In(seconds(10))).has_value());
  }
  EXPECT_FALSE(channel.Call(LocalCall::kExist, "key", In(seconds(10))).has_value());
}

TEST(LocalChannelTest, EndsAtItsDeadline) {
  std::atomic<bool> release = false;
  const auto server = *LocalServer::Start(UniqueName(), [&](LocalCall, const std::string& request) {
    release.wait(false);
    return absl::StatusOr<std::string>(request);
  });
  LocalChannel channel({UniqueName()});
  const auto reply = channel.Call(LocalCall::kExist, "late", In(milliseconds(20)));
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(reply->status())) << reply->status();
  release = true;
  release.notify_all();
  // The late answer is nobody else's.
  EXPECT_EQ(**channel.Call(LocalCall::kExist, "next", In(seconds(10))), "next");
}

TEST(LocalChannelTest, ServesThreadsSideBySide) {
  const auto server = Echo();
  LocalChannel channel({UniqueName()});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(t * 1000 + i);
        EXPECT_EQ(**channel.Call(LocalCall::kExist, text, In(seconds(10))), "4" + text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(LocalChannelTest, OneNameHasOneServer) {
  const auto server = Echo();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      LocalServer::Start(UniqueName(), [](LocalCall, const std::string&) {
        return absl::StatusOr<std::string>("");
      }).status()));
}

TEST(LocalChannelTest, OnlyAddressesOfThisHostHaveNames) {
  EXPECT_EQ(LocalChannelNames("0.0.0.0", 7), std::vector<std::string>{"@tandem-master-*:7"});
  EXPECT_EQ(LocalChannelNames("::", 7), std::vector<std::string>{"@tandem-master-*:7"});
  const std::vector<std::string> loopback = {"@tandem-master-127.0.0.1:7", "@tandem-master-*:7"};
  EXPECT_EQ(LocalChannelNames("127.0.0.1", 7), loopback);
  EXPECT_EQ(LocalChannelNames("localhost", 7), loopback);
  EXPECT_TRUE(LocalChannelNames("192.0.2.1", 7).empty());  // of nobody, by its standard
  EXPECT_TRUE(LocalChannelNames("a-name.example", 7).empty());
}

}  // namespace
}  // namespace tandem::store

#include "store/proto/call_channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/testing/test_certificates.h"
#include "store/proto/call_server.h"
#include "store/proto/local_socket.h"
#include "store/proto/remote_socket.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// A name that no other test process uses.
std::string UniqueName() { return "@tandem-master-test-" + std::to_string(getpid()); }

absl::StatusOr<std::string> Echo(HotCall call, const std::string& request) {
  if (call == HotCall::kPutEnd) return absl::AbortedError(request);
  return std::to_string(static_cast<int>(call)) + request;
}

std::unique_ptr<CallServer> MakeServer(CallServer::Handler handler = &Echo) {
  return std::make_unique<CallServer>(
      *ListenLocally(UniqueName()),
      [](const CallSocket& socket) { return IsOfThisUser(socket.descriptor()); },
      std::move(handler));
}

CallChannel::Connector To(std::vector<std::string> names) {
  return [names = std::move(names)](TimePoint) { return CallSocket(ConnectLocally(names)); };
}

struct Remote {
  explicit Remote(const BearerToken& token = {}, const TlsContext& tls = nullptr)
      : listener(*ListenRemotely("127.0.0.1")),
        port(listener.port),
        server(
            std::move(listener.socket),
            [=](CallSocket& socket) { return AdmitRemote(socket, tls, token); }, &Echo) {}

  RemoteListener listener;
  const int port;
  CallServer server;
};

TEST(CallChannelTest, CallsAndIsAnswered) {
  const auto server = MakeServer();
  CallChannel channel(To({"@tandem-master-nobody", UniqueName()}));
  auto reply = channel.Call(HotCall::kExist, "key", In(seconds(10)));
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(**reply, "4key");
  const std::string large(3 << 20, 'x');  // more than the socket holds
  EXPECT_EQ(**channel.Call(HotCall::kPutStart, large, In(seconds(10))), "1" + large);
  reply = channel.Call(HotCall::kPutEnd, "why", In(seconds(10)));
  EXPECT_TRUE(absl::IsAborted(reply->status()));
  EXPECT_EQ(reply->status().message(), "why");
}

TEST(CallChannelTest, WithoutAServerNoCallIsMade) {
  CallChannel channel(To({UniqueName()}));
  EXPECT_FALSE(channel.Call(HotCall::kExist, "key", In(seconds(10))).has_value());
  EXPECT_FALSE(CallChannel(To({})).Call(HotCall::kExist, "key", In(seconds(10))).has_value());
}

TEST(CallChannelTest, FindsTheNextServerAfterALoss) {
  CallChannel channel(To({UniqueName()}));
  for (int i = 0; i < 3; ++i) {
    const auto server = MakeServer();
    EXPECT_TRUE(channel.Call(HotCall::kExist, "key", In(seconds(10))).has_value());
  }
  EXPECT_FALSE(channel.Call(HotCall::kExist, "key", In(seconds(10))).has_value());
}

TEST(CallChannelTest, EndsAtItsDeadline) {
  std::atomic<bool> release = false;
  const auto server = MakeServer([&](HotCall, const std::string& request) {
    release.wait(false);
    return absl::StatusOr<std::string>(request);
  });
  CallChannel channel(To({UniqueName()}));
  const auto reply = channel.Call(HotCall::kExist, "late", In(milliseconds(20)));
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(reply->status())) << reply->status();
  release = true;
  release.notify_all();
  // The late answer is nobody else's.
  EXPECT_EQ(**channel.Call(HotCall::kExist, "next", In(seconds(10))), "next");
}

TEST(CallChannelTest, ServesThreadsSideBySide) {
  const auto server = MakeServer();
  CallChannel channel(To({UniqueName()}));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(t * 1000 + i);
        EXPECT_EQ(**channel.Call(HotCall::kExist, text, In(seconds(10))), "4" + text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CallChannelTest, OneNameHasOneServer) {
  const auto server = MakeServer();
  EXPECT_TRUE(absl::IsFailedPrecondition(ListenLocally(UniqueName()).status()));
}

TEST(CallChannelTest, CallsOverTcpWithTheToken) {
  const BearerToken token = *BearerToken::Of("word");
  const Remote remote(token);
  RemoteConnector connector("127.0.0.1", nullptr, token);
  CallChannel channel([&](TimePoint deadline) { return connector.Connect(deadline); });
  EXPECT_FALSE(channel.Call(HotCall::kExist, "key", In(seconds(10))).has_value());
  connector.SetPort(std::to_string(remote.port));
  EXPECT_EQ(**channel.Call(HotCall::kExist, "key", In(seconds(10))), "4key");
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(**channel.Call(HotCall::kPutStart, large, In(seconds(10))), "1" + large);
}

TEST(CallChannelTest, IsTurnedAwayWithoutTheToken) {
  const Remote remote(*BearerToken::Of("word"));
  for (const BearerToken& token : {BearerToken(), *BearerToken::Of("other")}) {
    RemoteConnector connector("127.0.0.1", nullptr, token);
    connector.SetPort(std::to_string(remote.port));
    EXPECT_FALSE(connector.Connect(In(seconds(10))).valid());
  }
}

TEST(CallChannelTest, CallsOverTlsWithTheToken) {
  const TestCertificates certificates;
  const BearerToken token = *BearerToken::Of("word");
  const Remote remote(token, *MakeTlsServerContext(certificates.files()));
  const TlsContext tls = *MakeTlsClientContext({.ca = certificates.ca()});
  RemoteConnector connector("127.0.0.1", tls, token);
  connector.SetPort(std::to_string(remote.port));
  CallChannel channel([&](TimePoint deadline) { return connector.Connect(deadline); });
  EXPECT_EQ(**channel.Call(HotCall::kExist, "key", In(seconds(10))), "4key");
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(**channel.Call(HotCall::kPutStart, large, In(seconds(10))), "1" + large);
  RemoteConnector stranger("127.0.0.1", tls, *BearerToken::Of("other"));
  stranger.SetPort(std::to_string(remote.port));
  EXPECT_FALSE(stranger.Connect(In(seconds(10))).valid());
}

TEST(CallChannelTest, BothEndsSpeakTlsOrNeither) {
  const TestCertificates certificates, others;
  const Remote plain, secured({}, *MakeTlsServerContext(certificates.files()));
  const TlsContext tls = *MakeTlsClientContext({.ca = certificates.ca()});
  const auto connects = [](int port, const TlsContext& with, const char* host = "127.0.0.1") {
    RemoteConnector connector(host, with, {});
    connector.SetPort(std::to_string(port));
    return connector.Connect(In(seconds(10))).valid();
  };
  EXPECT_TRUE(connects(secured.port, tls));
  EXPECT_FALSE(connects(secured.port, tls, "127.0.0.2"));  // which the certificate does not name
  EXPECT_FALSE(connects(secured.port, *MakeTlsClientContext({.ca = others.ca()})));
  EXPECT_FALSE(connects(secured.port, nullptr));
  EXPECT_FALSE(connects(plain.port, tls));
}

TEST(CallChannelTest, ShowsTheTokenToNobodyWhoDoesNotShakeHands) {
  const TestCertificates certificates;
  const RemoteListener stranger = *ListenRemotely("127.0.0.1");
  RemoteConnector connector("127.0.0.1", *MakeTlsClientContext({.ca = certificates.ca()}),
                            *BearerToken::Of("word"));
  connector.SetPort(std::to_string(stranger.port));
  EXPECT_FALSE(connector.Connect(In(milliseconds(50))).valid());
  const ScopedFd taken(accept(stranger.socket.get(), nullptr, nullptr));
  std::string shown(4096, '\0');
  const ssize_t length = recv(taken.get(), shown.data(), shown.size(), MSG_WAITALL);
  ASSERT_GT(length, 0);
  EXPECT_EQ(shown.find("word"), std::string::npos);
}

TEST(CallChannelTest, AsksAPortThatFailedNoMoreUntilItIsNamedAgain) {
  std::optional<Remote> remote(std::in_place);
  RemoteConnector connector("127.0.0.1", nullptr, {});
  const std::string port = std::to_string(remote->port);
  connector.SetPort(port);
  EXPECT_TRUE(connector.Connect(In(seconds(10))).valid());
  remote.reset();
  EXPECT_FALSE(connector.Connect(In(seconds(10))).valid());
  connector.SetPort(port);
  EXPECT_FALSE(connector.Connect(In(seconds(10))).valid());
  for (const char* nonsense : {"", "0", "70000", "x"}) {
    connector.SetPort(nonsense);
    EXPECT_FALSE(connector.Connect(In(seconds(10))).valid());
  }
}

TEST(CallChannelTest, OnlyAddressesOfThisHostHaveNames) {
  EXPECT_EQ(LocalSocketNames("0.0.0.0", 7), std::vector<std::string>{"@tandem-master-*:7"});
  EXPECT_EQ(LocalSocketNames("::", 7), std::vector<std::string>{"@tandem-master-*:7"});
  const std::vector<std::string> loopback = {"@tandem-master-127.0.0.1:7", "@tandem-master-*:7"};
  EXPECT_EQ(LocalSocketNames("127.0.0.1", 7), loopback);
  EXPECT_EQ(LocalSocketNames("localhost", 7), loopback);
  EXPECT_TRUE(LocalSocketNames("192.0.2.1", 7).empty());  // of nobody, by its standard
  EXPECT_TRUE(LocalSocketNames("a-name.example", 7).empty());
}

}  // namespace
}  // namespace tandem::store

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <future>

#include "base/host_port.h"
#include "base/scoped_fd.h"
#include "base/testing/test_certificates.h"
#include "transfer/message.h"
#include "transfer/network_interface.h"
#include "transfer/socket_address.h"
#include "transfer/stream_frame.h"
#include "transfer/transport.h"

namespace tandem::transfer {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// Gives and takes anything, in one buffer.
class OpenHost : public ExtentHost {
 public:
  absl::StatusOr<ReadableBytes> OpenForRead(const Extent& extent) override {
    return ReadableBytes{std::span(*memory_).first(extent.length), memory_};
  }
  absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) override {
    return WritableBytes{std::span(*memory_).first(extent.length), memory_};
  }
  absl::Status Publish(const HeldObject&) override { return absl::OkStatus(); }
  absl::Status PublishChecked(const HeldObject&) override { return absl::OkStatus(); }
  absl::Status CheckGrant(const Extent&, Access, const ExtentGrant&) override {
    return absl::OkStatus();
  }
  void Forget(const Extent&) override {}

 private:
  const std::shared_ptr<std::vector<std::byte>> memory_ =
      std::make_shared<std::vector<std::byte>>(2 << 20);
};

class StreamTransportTest : public ::testing::Test {
 protected:
  std::unique_ptr<Transport> Make(const Security& security, bool listen = true,
                                  const std::string& hostname = "127.0.0.1") {
    auto transport =
        Transport::Create({.hostname = hostname, .listen = listen, .security = security}, host_);
    EXPECT_TRUE(transport.ok()) << transport.status();
    return *std::move(transport);
  }
  Security PoolSecurity() { return {true, certificates_.files(), token_}; }

  /// What becomes of a read; it has to end long before its deadline.
  absl::Status Read(Transport& peer, const std::string& endpoint) {
    auto buffer = std::make_shared<std::vector<std::byte>>(2 << 20);
    const TimePoint start = Clock::Real().Now();
    const absl::Status status = peer.Read(endpoint, {{{0, 2 << 20, 1}, {*buffer, buffer}}})
                                    ->Wait(In(seconds(60)), seconds(50));
    EXPECT_LT(Clock::Real().Now() - start, seconds(20)) << status;
    return status;
  }
  void ExpectFailure(const absl::Status& status, absl::StatusCode code, const char* reason) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
    EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:"));
  }

  const TestCertificates certificates_;
  const BearerToken token_ = *BearerToken::Of("word");
  OpenHost host_;
};

TEST_F(StreamTransportTest, NeedsNoCertificateToOnlyAsk) {
  const auto owner = Make(PoolSecurity());
  const auto peer = Make({true, {certificates_.ca()}, token_}, /*listen=*/false);
  const absl::Status read = Read(*peer, owner->endpoint());
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(peer->endpoint(), "");
}

TEST_F(StreamTransportTest, RefusesPeersWithoutTheToken) {
  for (const bool tls : {true, false}) {
    Security security = tls ? PoolSecurity() : Security{false, {}, token_};
    const auto owner = Make(security);
    EXPECT_TRUE(Read(*Make(security), owner->endpoint()).ok());
    security.token = *BearerToken::Of("other");
    ExpectFailure(Read(*Make(security), owner->endpoint()), absl::StatusCode::kUnauthenticated,
                  "is not the one");
    security.token = {};
    ExpectFailure(Read(*Make(security), owner->endpoint()), absl::StatusCode::kUnauthenticated,
                  "none was sent");
  }
}

TEST_F(StreamTransportTest, TrustsOnlyOwnersWithACertificateForTheirAddress) {
  const auto owner = Make(PoolSecurity());
  const TestCertificates others, elsewhere("DNS:elsewhere");
  Security stranger = PoolSecurity();
  stranger.files.ca = others.ca();
  ExpectFailure(Read(*Make(stranger), owner->endpoint()), absl::StatusCode::kUnavailable,
                "is not trusted");
  const auto mislabelled = Make({true, elsewhere.files(), token_});
  const auto peer = Make({true, {elsewhere.ca()}, token_}, /*listen=*/false);
  ExpectFailure(Read(*peer, mislabelled->endpoint()), absl::StatusCode::kUnavailable, "mismatch");
}

TEST_F(StreamTransportTest, VerifiesPeersIfToldTo) {
  Security security = PoolSecurity();
  security.files.verify_clients = true;
  const auto owner = Make(security);
  EXPECT_TRUE(Read(*Make(PoolSecurity()), owner->endpoint()).ok());
  const auto peer = Make({true, {certificates_.ca()}, token_}, /*listen=*/false);
  ExpectFailure(Read(*peer, owner->endpoint()), absl::StatusCode::kUnavailable, "certificate");
}

TEST_F(StreamTransportTest, EndsInTimeBetweenPlainAndTls) {
  const auto secured = Make(PoolSecurity()), plain = Make({});
  EXPECT_TRUE(absl::IsUnavailable(Read(*plain, secured->endpoint())));
  EXPECT_FALSE(Read(*secured, plain->endpoint()).ok());
  // Both are as good as before.
  EXPECT_TRUE(Read(*secured, secured->endpoint()).ok());
  EXPECT_TRUE(Read(*plain, plain->endpoint()).ok());
}

TEST_F(StreamTransportTest, EndsWithPeersThatDoNotShakeHands) {
  auto owner = Make(PoolSecurity());
  const ScopedFd silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = *ResolveEndpoint(owner->endpoint());
  ASSERT_EQ(connect(silent.get(), address.get(), address.length), 0);
  ASSERT_EQ(send(silent.get(), "\x16\x03", 2, 0), 2);
  EXPECT_TRUE(Read(*Make(PoolSecurity()), owner->endpoint()).ok());
  owner.reset();
  char byte;
  EXPECT_LE(recv(silent.get(), &byte, 1, 0), 0);
}

TEST_F(StreamTransportTest, EndsWhatSendsNoHello) {
  auto owner = Make({});
  const ScopedFd stranger(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = *ResolveEndpoint(owner->endpoint());
  ASSERT_EQ(connect(stranger.get(), address.get(), address.length), 0);
  const std::string_view request = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(send(stranger.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  char byte;
  EXPECT_LE(recv(stranger.get(), &byte, 1, 0), 0);
}

/// An owner that shakes hands with one peer and says nothing more.
class SilentOwner {
 public:
  SilentOwner() {
    const SocketAddress any = *ResolveAddress("127.0.0.1", 0);
    EXPECT_EQ(bind(listener_.get(), any.get(), any.length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    sockaddr_in bound{};
    socklen_t length = sizeof(bound);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &length), 0);
    endpoint_ = FormatHostPort("127.0.0.1", ntohs(bound.sin_port));
  }
  const std::string& endpoint() const { return endpoint_; }

  void ShakeHands() {
    peer_ = ScopedFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, kHelloBytes> hello;
    ASSERT_EQ(recv(peer_.get(), hello.data(), hello.size(), MSG_WAITALL), ssize_t(hello.size()));
    const std::string welcome = PackFrame(ReplyFrame{{0, absl::StatusCode::kOk}, 0});
    ASSERT_EQ(send(peer_.get(), welcome.data(), welcome.size(), 0), ssize_t(welcome.size()));
  }

 private:
  const ScopedFd listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ScopedFd peer_;
  std::string endpoint_;
};

TEST_F(StreamTransportTest, LetsGoOfTheBuffersOfASilentPeerOnceNobodyWaits) {
  SilentOwner owner;
  std::promise<void> let_go;
  const auto peer = Transport::Create({.hostname = "127.0.0.1", .connections = 1}, host_);
  // More than may be in flight: the rest is not even sent.
  constexpr size_t kSize = 20 * kMaxMessageBytes;
  std::shared_ptr<std::byte[]> buffer(new std::byte[kSize], [&let_go](const std::byte* bytes) {
    delete[] bytes;
    let_go.set_value();
  });
  const auto transfer =
      (*peer)->Read(owner.endpoint(), {{{0, kSize, 1}, {{buffer.get(), kSize}, buffer}}});
  buffer.reset();
  (*peer)->Forget(owner.endpoint(), {{{0, kSize, 1}}});
  owner.ShakeHands();
  auto freed = let_go.get_future();
  // Longer than the transport puts up with a silence that nobody waits for.
  EXPECT_TRUE(absl::IsDeadlineExceeded(transfer->Wait(In(seconds(60)), seconds(4))));
  EXPECT_EQ(freed.wait_for(seconds(20)), std::future_status::ready);
}

TEST_F(StreamTransportTest, ListensOnAllAddressesAndOnThoseOfIpv6) {
  if (InterfaceOf(*ResolveAddress("::1", 0)).empty()) GTEST_SKIP() << "this host has no IPv6";
  const auto everywhere = Make({}, true, "0.0.0.0"), v6 = Make({}, true, "::1");
  EXPECT_EQ(everywhere->endpoint(), FormatHostPort("0.0.0.0", everywhere->port()));
  EXPECT_TRUE(Read(*v6, FormatHostPort("127.0.0.1", everywhere->port())).ok());
  EXPECT_EQ(v6->endpoint(), FormatHostPort("::1", v6->port()));
  EXPECT_TRUE(Read(*everywhere, v6->endpoint()).ok());
}

TEST_F(StreamTransportTest, NamesTheOptionThatIsWrong) {
  const auto failure = [&](const TransportOptions& options) {
    const absl::Status status = Transport::Create(options, host_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(failure({.hostname = "127.0.0.1", .protocol = "rdma", .security = PoolSecurity()}),
              HasSubstr("protocol: rdma cannot be used with TLS"));
  EXPECT_THAT(failure({.hostname = "127.0.0.1", .security = {true, {certificates_.ca()}, {}}}),
              HasSubstr("tls_cert_file is not set"));
  EXPECT_THAT(failure({.hostname = "127.0.0.1",
                       .security = {true, {"", certificates_.certificate(), certificates_.key()}}}),
              HasSubstr("tls_ca_file is not set"));
  EXPECT_THAT(failure({.hostname = "no.such.host.invalid", .security = PoolSecurity()}),
              HasSubstr("local_hostname"));
}

}  // namespace
}  // namespace tandem::transfer

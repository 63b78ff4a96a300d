#include "store/proto/call_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <thread>

#include "base/testing/test_certificates.h"
#include "store/proto/call_frame.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr size_t kLimit = 8 << 20;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

const TestCertificates& Ours() {
  static const TestCertificates made;
  return made;
}

struct Terms {
  TlsFiles client = {.ca = Ours().ca()};
  TlsFiles server = Ours().files();
  std::string host = "127.0.0.1";
  int newest = TLS1_3_VERSION;
};

class TlsCallSocketTest : public ::testing::Test {
 protected:
  TlsCallSocketTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client_ = CallSocket(ScopedFd(ends[0]));
    server_ = CallSocket(ScopedFd(ends[1]));
  }

  /// Has both ends shake hands; what came of it at the client's is `client_status_`.
  void ShakeHands(const Terms& terms = {}) {
    const TlsContext client = *MakeTlsClientContext(terms.client);
    const TlsContext server = *MakeTlsServerContext(terms.server);
    SSL_CTX_set_max_proto_version(client.get(), terms.newest);
    std::thread accepts([&] { server_status_ = server_.AcceptTls(server, In(seconds(30))); });
    client_status_ = client_.ConnectTls(client, terms.host, In(seconds(30)));
    accepts.join();
  }
  absl::Status Send(CallSocket& from, std::string_view payload) {
    return SendFrame(from, 7, payload, In(seconds(30)));
  }
  absl::StatusOr<CallFrame> Receive(CallSocket& at, FramePace* pace = nullptr) {
    return ReceiveFrame(at, In(seconds(30)), kLimit, pace);
  }
  /// What stands in the socket in front of TLS.
  std::string Raw(const CallSocket& at) {
    std::string bytes(64 << 10, '\0');
    const ssize_t got = recv(at.descriptor().get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }

  CallSocket client_, server_;
  absl::Status client_status_, server_status_;
};

TEST_F(TlsCallSocketTest, CarriesMessagesOfAnySizeBothWays) {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client_ = CallSocket(ScopedFd(ends[0]));
    server_ = CallSocket(ScopedFd(ends[1]));
    ShakeHands({.newest = newest});
    ASSERT_TRUE(client_status_.ok()) << client_status_;
    ASSERT_TRUE(server_status_.ok()) << server_status_;
    for (const size_t size : {0, 1, 500, (16 << 10) - 8, 16 << 10, 100'000, 5 << 20}) {
      const std::string sent(size, 'x');
      std::thread echoes([&] {
        const auto call = Receive(server_);
        ASSERT_TRUE(call.ok()) << call.status();
        EXPECT_TRUE(Send(server_, call->payload).ok());
      });
      EXPECT_TRUE(Send(client_, sent).ok());
      const auto reply = Receive(client_);
      echoes.join();
      ASSERT_TRUE(reply.ok()) << reply.status();
      EXPECT_EQ(reply->tag, 7);
      EXPECT_TRUE(reply->payload == sent) << size;
    }
  }
}

TEST_F(TlsCallSocketTest, WhatOpenSslHoldsHasCome) {
  ShakeHands();
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  EXPECT_FALSE(server_.HasCome());
  ASSERT_TRUE(Send(client_, "one").ok());
  ASSERT_TRUE(Send(client_, "two").ok());
  client_ = CallSocket();
  FramePace pace;
  EXPECT_EQ(Receive(server_, &pace)->payload, "one");
  EXPECT_TRUE(server_.HasCome());
  EXPECT_FALSE(server_.IsClosed());
  EXPECT_EQ(Receive(server_, &pace)->payload, "two");
  EXPECT_TRUE(server_.IsClosed());
  EXPECT_TRUE(absl::IsNotFound(Receive(server_, &pace).status()));
}

TEST_F(TlsCallSocketTest, KnowsTheServerByCaAndName) {
  ShakeHands({.host = "127.0.0.2"});
  EXPECT_TRUE(absl::IsUnavailable(client_status_));
  EXPECT_THAT(std::string(client_status_.message()), HasSubstr("is not trusted"));
  EXPECT_FALSE(server_status_.ok());
  EXPECT_FALSE(Send(client_, "secret").ok());
}

TEST_F(TlsCallSocketTest, RefusesAnotherName) {
  ShakeHands({.host = "other.example"});
  EXPECT_TRUE(absl::IsUnavailable(client_status_));
  EXPECT_THAT(std::string(client_status_.message()), HasSubstr("is not trusted"));
}

TEST_F(TlsCallSocketTest, TakesANameOfTheCertificate) {
  ShakeHands({.host = "localhost"});
  EXPECT_TRUE(client_status_.ok()) << client_status_;
}

TEST_F(TlsCallSocketTest, RefusesAnotherCa) {
  const TestCertificates others;
  ShakeHands({.client = {.ca = others.ca()}});
  EXPECT_TRUE(absl::IsUnavailable(client_status_));
  EXPECT_THAT(std::string(client_status_.message()), HasSubstr("is not trusted"));
  EXPECT_FALSE(server_status_.ok());
}

TEST_F(TlsCallSocketTest, DemandsACertificateWhereClientsAreVerified) {
  Terms terms;
  terms.server.verify_clients = true;
  ShakeHands(terms);
  EXPECT_TRUE(absl::IsUnavailable(server_status_));
  server_ = CallSocket();
  EXPECT_FALSE(Receive(client_).ok());  // where its handshake ended before the server's
}

TEST_F(TlsCallSocketTest, TakesTheCertificateOfAClient) {
  Terms terms;
  terms.server.verify_clients = true;
  terms.client = Ours().files();
  ShakeHands(terms);
  EXPECT_TRUE(client_status_.ok()) << client_status_;
  EXPECT_TRUE(server_status_.ok()) << server_status_;
}

TEST_F(TlsCallSocketTest, FindsThatTheOtherEndSpeaksPlain) {
  ASSERT_TRUE(Send(client_, "a call in plain").ok());
  const TlsContext server = *MakeTlsServerContext(Ours().files());
  EXPECT_TRUE(absl::IsUnavailable(server_.AcceptTls(server, In(seconds(30)))));
}

TEST_F(TlsCallSocketTest, FindsThatTheServerSpeaksPlain) {
  ASSERT_TRUE(Send(server_, "an answer in plain").ok());
  const TlsContext client = *MakeTlsClientContext({.ca = Ours().ca()});
  const absl::Status status = client_.ConnectTls(client, "127.0.0.1", In(seconds(30)));
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not speak TLS"));
}

TEST_F(TlsCallSocketTest, APlainEndFindsThatTheOtherSpeaksTls) {
  std::thread connects([&] {
    const TlsContext client = *MakeTlsClientContext({.ca = Ours().ca()});
    EXPECT_FALSE(client_.ConnectTls(client, "127.0.0.1", In(seconds(30))).ok());
  });
  EXPECT_TRUE(absl::IsUnavailable(Receive(server_).status()));
  server_ = CallSocket();
  connects.join();
}

TEST_F(TlsCallSocketTest, AHandshakeThatStallsEndsAtItsDeadline) {
  const TlsContext client = *MakeTlsClientContext({.ca = Ours().ca()});
  const TlsContext server = *MakeTlsServerContext(Ours().files());
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(client_.ConnectTls(client, "127.0.0.1", In(milliseconds(5)))));
  // Nor can anything be sent from then on, as who is there is not known.
  EXPECT_FALSE(SendFrame(client_, 7, "secret", In(milliseconds(5))).ok());
  const std::string raw = Raw(server_);
  EXPECT_FALSE(raw.empty());
  EXPECT_EQ(raw.find("secret"), std::string::npos);
  ASSERT_EQ(send(client_.descriptor().get(), raw.data(), raw.size() / 2, 0), raw.size() / 2);
  EXPECT_TRUE(absl::IsDeadlineExceeded(server_.AcceptTls(server, In(milliseconds(5)))));
}

TEST_F(TlsCallSocketTest, FindsAConnectionThatIsCutWithinAFrame) {
  ShakeHands();
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  const uint32_t header[2] = {7, 100'000};
  ASSERT_TRUE(client_
                  .Send({reinterpret_cast<const char*>(header), sizeof(header)},
                        std::string(50'000, 'x'), In(seconds(30)))
                  .ok());
  client_ = CallSocket();
  EXPECT_TRUE(absl::IsUnavailable(Receive(server_).status()));
}

TEST_F(TlsCallSocketTest, EndsAtItsDeadlineWithinAFrame) {
  ShakeHands();
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(ReceiveFrame(server_, In(milliseconds(5)), kLimit).status()));
  const std::string more(kLimit, 'x');  // than the socket holds
  EXPECT_TRUE(absl::IsDeadlineExceeded(SendFrame(client_, 7, more, In(milliseconds(5)))));
}

TEST_F(TlsCallSocketTest, SendingToAnEndThatIsGoneFails) {
  ShakeHands();
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  server_ = CallSocket();
  EXPECT_TRUE(absl::IsUnavailable(Send(client_, "to nobody")));
}

TEST_F(TlsCallSocketTest, FindsWhatWasChangedOnTheWay) {
  ShakeHands();
  ASSERT_TRUE(client_status_.ok()) << client_status_;
  const std::string nothing("\x17\x03\x03\x00\x20", 5);
  const std::string record = nothing + std::string(32, 'x');
  ASSERT_EQ(send(client_.descriptor().get(), record.data(), record.size(), 0), record.size());
  EXPECT_FALSE(Receive(server_).ok());
  EXPECT_FALSE(Send(server_, "answer").ok());
}

}  // namespace
}  // namespace tandem::store

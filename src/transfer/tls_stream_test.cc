#include "transfer/tls_stream.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <random>

#include "base/testing/test_certificates.h"

namespace tandem::transfer {
namespace {

using boost::asio::const_buffer;
using boost::asio::ip::tcp;
using End = TlsStream::End;
using ErrorCode = TlsStream::ErrorCode;

std::vector<std::byte> RandomBytes(size_t size) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

void CountRecords(int sending, int, int type, const void*, size_t, SSL*, void* count) {
  if (sending == 1 && type == SSL3_RT_HEADER) ++*static_cast<int*>(count);
}

class TlsStreamTest : public testing::Test {
 protected:
  TlsStreamTest() {
    tcp::acceptor acceptor(context_, {boost::asio::ip::address_v4::loopback(), 0});
    client_socket_.connect(acceptor.local_endpoint());
    acceptor.accept(server_socket_);
  }

  /// How both ends' handshakes end, the client's first.
  std::pair<ErrorCode, ErrorCode> ShakeHands(const std::string& expected = "127.0.0.1") {
    ExpectHost(client_.connection(), expected);
    std::pair<ErrorCode, ErrorCode> ends;
    client_.Handshake(End::kClient, [&](const ErrorCode& error) { ends.first = error; });
    server_.Handshake(End::kServer, [&](const ErrorCode& error) { ends.second = error; });
    Run();
    return ends;
  }

  /// Until there is nothing left to do.
  void Run() {
    context_.restart();
    context_.run_for(std::chrono::seconds(20));
  }

  /// Reads `size` bytes at the server, in pieces as they come.
  void ReadAtServer(size_t size) {
    ErrorCode error;
    const size_t before = received_.size();
    received_.resize(before + size);
    const size_t count = server_.Decrypt(std::span(received_).subspan(before), error);
    received_.resize(before + count);
    if (error || count == size) {
      read_error_ = error;
      return;
    }
    server_.Receive([this, left = size - count](const ErrorCode& failure) {
      if (!failure) return ReadAtServer(left);
      read_error_ = failure;
    });
  }

  const TestCertificates certificates_;
  boost::asio::io_context context_;
  tcp::socket client_socket_{context_}, server_socket_{context_};
  TlsStream client_{client_socket_, *MakeTlsClientContext(certificates_.files())};
  TlsStream server_{server_socket_, *MakeTlsServerContext(certificates_.files())};
  std::vector<std::byte> received_;
  ErrorCode read_error_;
};

TEST_F(TlsStreamTest, CarriesBuffersOfAllSizes) {
  ASSERT_EQ(ShakeHands(), std::pair(ErrorCode(), ErrorCode()));
  const std::vector<std::byte> bytes = RandomBytes(3'000'000);
  std::vector<const_buffer> buffers;
  size_t at = 0;
  for (const size_t size : {0, 1, 30, 16'383, 16'384, 16'385, 0, 40, 1'048'576, 7, 200'000}) {
    buffers.emplace_back(bytes.data() + at, size);
    at += size;
  }
  buffers.emplace_back(bytes.data() + at, bytes.size() - at);
  bool written = false;
  client_.Write(buffers, [&](const ErrorCode& error) { written = !error; });
  ReadAtServer(bytes.size());
  Run();
  EXPECT_TRUE(written);
  EXPECT_FALSE(read_error_) << read_error_.message();
  EXPECT_TRUE(received_ == bytes);
}

TEST_F(TlsStreamTest, PutsSmallBuffersIntoOneRecord) {
  ASSERT_EQ(ShakeHands(), std::pair(ErrorCode(), ErrorCode()));
  int records = 0;
  SSL_set_msg_callback(client_.connection(), &CountRecords);
  SSL_set_msg_callback_arg(client_.connection(), &records);
  const std::vector<std::byte> bytes = RandomBytes(size_t{100} * 160);
  std::vector<const_buffer> buffers;
  for (size_t i = 0; i < 100; ++i) buffers.emplace_back(bytes.data() + i * 160, 160);
  client_.Write(buffers, [](const ErrorCode&) {});
  ReadAtServer(bytes.size());
  Run();
  EXPECT_TRUE(received_ == bytes);
  EXPECT_EQ(records, 1);
}

TEST_F(TlsStreamTest, TellsTheOtherEndWhyAHandshakeFails) {
  const auto [client, server] = ShakeHands("192.0.2.1");
  EXPECT_TRUE(client);
  EXPECT_NE(SSL_get_verify_result(client_.connection()), X509_V_OK);
  // An alert, and not just the end of the connection.
  EXPECT_NE(std::string(server.message()).find("alert"), std::string::npos) << server.message();
}

TEST_F(TlsStreamTest, EndsAReadWithTheConnection) {
  ASSERT_EQ(ShakeHands(), std::pair(ErrorCode(), ErrorCode()));
  const std::vector<std::byte> bytes = RandomBytes(10);
  client_.Write({const_buffer(bytes.data(), bytes.size())},
                [this](const ErrorCode&) { client_socket_.close(); });
  ReadAtServer(bytes.size() + 1);
  Run();
  EXPECT_TRUE(received_ == bytes);
  EXPECT_TRUE(read_error_);
}

TEST_F(TlsStreamTest, RefusesWhatIsNotTls) {
  ASSERT_EQ(ShakeHands(), std::pair(ErrorCode(), ErrorCode()));
  const std::string nonsense(100, 'x');
  client_socket_.send(boost::asio::buffer(nonsense));
  ReadAtServer(1);
  Run();
  EXPECT_TRUE(received_.empty());
  EXPECT_TRUE(read_error_);
}

}  // namespace
}  // namespace tandem::transfer

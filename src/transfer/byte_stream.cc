#include "transfer/byte_stream.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "transfer/send_buffer.h"

namespace tandem::transfer {
namespace {

namespace asio = boost::asio;

constexpr size_t kLongBytes = 256 << 10;

/// All of a write in as few calls as the system takes: Asio's own condition cuts it at 64 KiB.
size_t All(const ByteStream::ErrorCode& error, size_t) { return error ? 0 : SIZE_MAX; }

}  // namespace

ByteStream::ByteStream(Socket socket, TlsContext context)
    : socket_(std::move(socket)),
      tls_(context == nullptr ? nullptr
                              : std::make_unique<TlsStream>(socket_, std::move(context))) {}

void ByteStream::ExpectHost(const std::string& host) {
  if (tls_ != nullptr) tandem::ExpectHost(tls_->connection(), host);
}

void ByteStream::SetSocketOptions() {
  ErrorCode ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
}

void ByteStream::Handshake(End end, Handler done) {
  if (tls_ == nullptr) return done({});
  tls_->Handshake(end, std::move(done));
}

std::string ByteStream::Describe(const ErrorCode& error) {
  if (tls_ == nullptr) return error.message();
  const SSL* connection = tls_->connection();
  const bool of_tls = error.category() == asio::error::get_ssl_category();
  if (!of_tls && SSL_get_verify_result(connection) == X509_V_OK) {
    return "it closes the connection in the TLS handshake: " + error.message();
  }
  return DescribeHandshakeError(connection, static_cast<unsigned long>(error.value()));
}

void ByteStream::Read(std::span<std::byte> bytes, Handler done) {
  wanted_ = bytes;
  done_ = std::move(done);
  if (!delivering_) Deliver();
}

void ByteStream::Deliver() {
  Handler current;  // keeps this alive until the end
  delivering_ = true;
  while (done_ != nullptr) {
    ErrorCode error;
    Take(error);
    if (!wanted_.empty() && !error) {
      Receive();
      break;
    }
    current = std::exchange(done_, nullptr);
    current(error);
  }
  delivering_ = false;
}

void ByteStream::Take(ErrorCode& error) {
  if (tls_ != nullptr) {
    wanted_ = wanted_.subspan(tls_->Decrypt(wanted_, error));
    return;
  }
  const size_t size = std::min(wanted_.size(), ahead_.size());
  std::copy_n(ahead_.begin(), size, wanted_.begin());
  wanted_ = wanted_.subspan(size);
  ahead_ = ahead_.subspan(size);
}

void ByteStream::Receive() {
  auto received = [this, done = std::exchange(done_, nullptr)](const ErrorCode& error,
                                                               size_t count) mutable {
    if (error) return done(error);
    const size_t straight = std::min(count, wanted_.size());
    wanted_ = wanted_.subspan(straight);
    ahead_ = std::span(read_ahead_).first(count - straight);
    done_ = std::move(done);
    Deliver();
  };
  if (tls_ != nullptr) {
    return tls_->Receive(
        [received = std::move(received)](const ErrorCode& error) mutable { received(error, 0); });
  }
  // Behind a long message only the beginning of the next would be read, and be copied.
  const size_t ahead = wanted_.size() < kReadAheadBytes ? kReadAheadBytes : 0;
  const std::array<asio::mutable_buffer, 2> room = {asio::buffer(wanted_.data(), wanted_.size()),
                                                    asio::buffer(read_ahead_.data(), ahead)};
  socket_.async_read_some(room, std::move(received));
}

void ByteStream::Write(const std::vector<asio::const_buffer>& buffers, Handler done) {
  if (!limited_ && asio::buffer_size(buffers) >= kLongBytes) {
    limited_ = LimitSendBuffer(socket_.native_handle());
  }
  if (tls_ != nullptr) return tls_->Write(buffers, std::move(done));
  asio::async_write(socket_, buffers, All,
                    [done = std::move(done)](const ErrorCode& error, size_t) { done(error); });
}

void ByteStream::Close() {
  ErrorCode ignored;
  socket_.close(ignored);
  ahead_ = {};
}

}  // namespace tandem::transfer

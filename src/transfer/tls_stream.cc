#include "transfer/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cstring>
#include <new>
#include <utility>

namespace tandem::transfer {
namespace {

namespace asio = boost::asio;

/// Of records each way: few calls of the system, and they stay in a core's second-level cache.
constexpr size_t kBufferBytes = 128 << 10;

TlsStream::ErrorCode LastError() {
  const auto reason = static_cast<int>(ERR_get_error());
  if (reason == 0) return asio::error::connection_aborted;  // Which it was for an earlier reason.
  return {reason, asio::error::get_ssl_category()};
}

BIO* Connect(SSL* connection) {
  BIO *inside = nullptr, *network = nullptr;
  if (connection == nullptr ||
      BIO_new_bio_pair(&inside, kBufferBytes, &network, kBufferBytes) != 1) {
    throw std::bad_alloc();
  }
  SSL_set_bio(connection, inside, inside);
  // Between two records of many it would free a buffer only to allocate it again.
  SSL_clear_mode(connection, SSL_MODE_RELEASE_BUFFERS);
  return network;
}

}  // namespace

TlsStream::TlsStream(Socket& socket, TlsContext context)
    : socket_(socket),
      context_(std::move(context)),
      connection_(SSL_new(context_.get()), &SSL_free),
      network_(Connect(connection_.get()), &BIO_free) {}

void TlsStream::Handshake(End end, Handler done) {
  if (end == End::kClient) {
    SSL_set_connect_state(connection());
  } else {
    SSL_set_accept_state(connection());
  }
  ShakeHands(std::move(done));
}

void TlsStream::ShakeHands(Handler done) {
  ERR_clear_error();
  const int result = SSL_do_handshake(connection());
  const int reason = SSL_get_error(connection(), result);
  const bool receive = reason == SSL_ERROR_WANT_READ;
  const bool again = receive || reason == SSL_ERROR_WANT_WRITE;
  const ErrorCode failure = result == 1 || again ? ErrorCode() : LastError();
  Flush([this, again, receive, failure, done = std::move(done)](const ErrorCode& error) mutable {
    if (error || !again) return done(failure ? failure : error);
    if (!receive) return ShakeHands(std::move(done));
    Receive([this, done = std::move(done)](const ErrorCode& broken) mutable {
      broken ? done(broken) : ShakeHands(std::move(done));
    });
  });
}

size_t TlsStream::Decrypt(std::span<std::byte> room, ErrorCode& error) {
  size_t total = 0;
  ERR_clear_error();
  while (total < room.size()) {
    size_t count = 0;
    const int result = SSL_read_ex(connection(), room.data() + total, room.size() - total, &count);
    total += count;
    if (result == 1) continue;
    const int reason = SSL_get_error(connection(), result);
    if (reason == SSL_ERROR_ZERO_RETURN) error = asio::error::eof;
    // Nor may it want to write: no program of this store asks for new keys.
    if (reason != SSL_ERROR_WANT_READ && !error) error = LastError();
    break;
  }
  // What came before an error is worth something, and the error comes again.
  if (total > 0) error = {};
  return total;
}

void TlsStream::Receive(Handler done) {
  char* room = nullptr;
  const auto size = static_cast<size_t>(std::max(0, BIO_nwrite0(network_.get(), &room)));
  auto received = [this, done = std::move(done)](const ErrorCode& error, size_t count) {
    char* begin = nullptr;
    if (!error) BIO_nwrite(network_.get(), &begin, static_cast<int>(count));
    done(error);
  };
  socket_.async_read_some(asio::buffer(room, size), std::move(received));
}

void TlsStream::Write(const std::vector<asio::const_buffer>& buffers, Handler done) {
  unsent_ = buffers;
  next_ = 0;
  Continue(std::move(done));
}

void TlsStream::Continue(Handler done) {
  bool full = false;
  ERR_clear_error();
  while (!full && TakePiece()) {
    size_t count = 0;
    const int result = SSL_write_ex(connection(), piece_.data(), piece_.size(), &count);
    piece_ = piece_.subspan(count);
    if (result == 1) continue;
    if (SSL_get_error(connection(), result) != SSL_ERROR_WANT_WRITE) return done(LastError());
    full = true;
  }
  if (!full) return Flush(std::move(done));
  Flush([this, done = std::move(done)](const ErrorCode& error) mutable {
    error ? done(error) : Continue(std::move(done));
  });
}

bool TlsStream::TakePiece() {
  size_t size = 0;
  while (piece_.empty() && next_ < unsent_.size()) {
    asio::const_buffer& buffer = unsent_[next_];
    if (size == 0 && buffer.size() >= kRecordBytes) {
      piece_ = {static_cast<const std::byte*>(buffer.data()), buffer.size()};
      ++next_;
      return true;
    }
    const size_t count = std::min(buffer.size(), kRecordBytes - size);
    if (count > 0) std::memcpy(together_.data() + size, buffer.data(), count);
    size += count;
    buffer += count;
    if (buffer.size() == 0) ++next_;
    if (size == kRecordBytes) break;
  }
  if (size > 0) piece_ = std::span(together_).first(size);
  return !piece_.empty();
}

void TlsStream::Flush(Handler next) {
  char* encrypted = nullptr;
  const auto size = static_cast<size_t>(std::max(0, BIO_nread0(network_.get(), &encrypted)));
  if (size == 0) return next({});
  auto sent = [this, next = std::move(next)](const ErrorCode& error, size_t count) mutable {
    char* begin = nullptr;
    if (error) return next(error);
    BIO_nread(network_.get(), &begin, static_cast<int>(count));
    Flush(std::move(next));
  };
  socket_.async_write_some(asio::buffer(encrypted, size), std::move(sent));
}

}  // namespace tandem::transfer

#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/tls.h"

// OpenSSL's own type.
struct bio_st;

namespace tandem::transfer {

/// TLS over a connected socket. Several records go through the system in one call, and small
/// buffers share a record. Of the one thread that runs the socket's io_context; handlers, which
/// must keep it alive, may be called before the call that takes them returns. Internal.
class TlsStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using ErrorCode = boost::system::error_code;
  using Handler = std::function<void(const ErrorCode& error)>;
  enum class End { kClient, kServer };

  TlsStream(Socket& socket, TlsContext context);

  /// To say what is expected of the other end, and to ask why a handshake failed.
  ssl_st* connection() { return connection_.get(); }

  /// Tells the other end why, if it fails.
  void Handshake(End end, Handler done);

  /// Decrypts what has been received into `room`; how much that was, 0 if Receive() is to be
  /// called first.
  size_t Decrypt(std::span<std::byte> room, ErrorCode& error);
  /// Waits until something has been received. One at a time, and not during a handshake.
  void Receive(Handler done);

  /// Sends all of `buffers`, which `done` keeps valid. One at a time.
  void Write(const std::vector<boost::asio::const_buffer>& buffers, Handler done);

 private:
  static constexpr size_t kRecordBytes = 16 << 10;

  void ShakeHands(Handler done);
  void Continue(Handler done);
  /// Sends what has been encrypted, then calls `next`.
  void Flush(Handler next);
  /// Sets piece_ to what goes into the next record; false if nothing is left.
  bool TakePiece();

  Socket& socket_;
  const TlsContext context_;
  const std::unique_ptr<ssl_st, void (*)(ssl_st*)> connection_;
  const std::unique_ptr<bio_st, int (*)(bio_st*)> network_;  // its other end
  std::vector<boost::asio::const_buffer> unsent_;            // of the write under way
  size_t next_ = 0;                                          // of unsent_
  std::span<const std::byte> piece_;                         // being encrypted
  std::array<std::byte, kRecordBytes> together_;             // of small buffers
};

}  // namespace tandem::transfer

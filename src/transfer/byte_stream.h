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
#include "transfer/tls_stream.h"

namespace tandem::transfer {

/// One end of a connection over TCP, plain or with TLS. Of the one thread that runs its io_context;
/// handlers, which must keep it alive, may be called before the call that takes them returns.
/// Internal.
class ByteStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using ErrorCode = boost::system::error_code;
  using Handler = std::function<void(const ErrorCode& error)>;
  using End = TlsStream::End;

  /// Plain without a context.
  ByteStream(Socket socket, TlsContext context);

  Socket& socket() { return socket_; }
  /// As a client: with TLS only a server whose certificate names it is shaken hands with.
  void ExpectHost(const std::string& host);
  /// Once connected or accepted.
  void SetSocketOptions();
  /// Nothing, if it is plain.
  void Handshake(End end, Handler done);
  /// Why a handshake ended with `error`.
  std::string Describe(const ErrorCode& error);

  /// Fills `bytes`, which `done` keeps valid. One at a time.
  void Read(std::span<std::byte> bytes, Handler done);
  /// Sends all of `buffers`, which `done` keeps valid. One at a time.
  void Write(const std::vector<boost::asio::const_buffer>& buffers, Handler done);
  void Close();

 private:
  // Small messages come many at once. Longer ones go where they belong, but for their beginnings.
  static constexpr size_t kReadAheadBytes = 64 << 10;

  /// Serves reads from what has arrived, then waits for more.
  void Deliver();
  void Take(ErrorCode& error);
  void Receive();

  Socket socket_;
  const std::unique_ptr<TlsStream> tls_;  // null if it is plain
  std::span<std::byte> wanted_;           // what is left to fill
  Handler done_;                          // of the read under way
  bool delivering_ = false;
  bool limited_ = false;              // see LimitSendBuffer
  std::span<const std::byte> ahead_;  // arrived, and not yet asked for; not with TLS
  std::array<std::byte, kReadAheadBytes> read_ahead_;
};

}  // namespace tandem::transfer

#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>

#include "base/tls.h"

namespace tandem::transfer {

/// One end of a TLS connection over TCP. Internal.
class TlsStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using ErrorCode = boost::system::error_code;

  TlsStream(Socket socket, TlsContext context);

  boost::asio::ssl::stream<Socket>& stream() { return stream_; }
  Socket& socket() { return stream_.next_layer(); }
  /// As a client: only a server whose certificate names it is shaken hands with.
  void ExpectHost(const std::string& host);
  /// Once connected or accepted.
  void SetSocketOptions();
  /// Why a handshake ended with `error`.
  std::string Describe(const ErrorCode& error);
  void Close();

 private:
  const TlsContext context_;
  boost::asio::ssl::context borrowed_;
  boost::asio::ssl::stream<Socket> stream_;
};

}  // namespace tandem::transfer

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/tls.h"

namespace tandem::http {

/// A connection's bytes, plain or through TLS. Used, and calls back, on the strand that its socket
/// was made with; buffers and the stream stay valid until the call back. Internal.
class Stream {
 public:
  using ErrorCode = boost::system::error_code;
  using Socket = boost::asio::ip::tcp::socket;
  using Done = std::function<void(const ErrorCode& error, size_t bytes)>;

  /// The server's end of a connection; plain if `tls` is null.
  static std::unique_ptr<Stream> OfServer(Socket socket, const TlsContext& tls);
  /// A client's end, not connected yet, of one to `host`; plain if `tls` is null.
  static std::unique_ptr<Stream> OfClient(Socket socket, const TlsContext& tls,
                                          const std::string& host);
  virtual ~Stream() = default;

  virtual Socket& socket() = 0;
  /// Goes before the first byte. The text says why it failed and is empty if it did not.
  virtual void Handshake(std::function<void(const std::string& failure)> done) = 0;
  virtual void ReadSome(boost::asio::mutable_buffer buffer, Done done) = 0;
  virtual void Write(const std::vector<boost::asio::const_buffer>& buffers, Done done) = 0;
  /// Tells the other end that nothing more comes. `holder` owns the stream.
  virtual void ShutdownSend(std::shared_ptr<void> holder) = 0;
  /// Ends what is in flight with an error.
  void Close() {
    ErrorCode ignored;
    socket().close(ignored);
  }
};

}  // namespace tandem::http

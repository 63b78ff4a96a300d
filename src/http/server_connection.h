#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "http/server_state.h"
#include "http/stream.h"

namespace tandem::http {

/// One client's connection. Reads a request, hands it to the handler, sends the reply, and begins
/// again. It keeps reading while a reply is pending: that is how a client's leaving is noticed, and
/// a next request that comes early waits in the buffer.
///
/// Everything but Send, closing, Drain and Close runs on the socket's strand. Internal.
class ServerConnection : public ReplySink, public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(std::shared_ptr<ServerState> state, boost::asio::ip::tcp::socket socket);

  void Start();

  void Send(std::string bytes, ReplyPart part) override;
  bool closing() const override;

  /// Closes now if no request is in flight; else the reply in flight is the last.
  void Drain();
  /// Closes now.
  void Close();

 private:
  using ErrorCode = boost::system::error_code;
  using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  /// kLingering: the last reply is sent; what still comes is thrown away until the client closes,
  /// so that the kernel does not reset the connection under a reply the client has not read yet.
  enum class Phase { kReading, kReplying, kLingering, kClosed };

  void OnHandshake(const std::string& failure);
  void ResetParser();
  void Read();
  void OnRead(const ErrorCode& error, size_t bytes);
  void OnReadEnd();
  void Parse();
  void Reject(const ErrorCode& error);
  void Dispatch();
  void Queue(std::string bytes, ReplyPart part);
  void Flush();
  void OnWritten(const ErrorCode& error);
  void OnReplySent();
  void Linger();
  void ArmTimer(Duration wait);
  void OnTimer();
  void CloseNow();

  const std::shared_ptr<ServerState> state_;
  const std::unique_ptr<Stream> stream_;
  boost::asio::steady_timer timer_;

  Phase phase_ = Phase::kReading;
  std::optional<RequestParser> parser_;
  bool continue_sent_ = false;
  bool reading_ = false;
  bool peer_ended_ = false;  // The client sends no more; the rest of the reply is still to go out.
  std::array<char, 16384> incoming_;
  std::string input_;  // Read, but not parsed yet.
  std::weak_ptr<Exchange> exchange_;

  std::vector<std::string> outbox_;
  std::vector<std::string> sending_;
  std::optional<ReplyPart> reply_end_;  // Set once the end of the reply is in the outbox.
  TimePoint progress_;                  // When bytes last came or went.
};

}  // namespace tandem::http

#pragma once

#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "http/client.h"
#include "http/client_state.h"
#include "http/response_parser.h"
#include "http/url.h"

namespace tandem::http {

/// One request and its reply: takes a kept connection or makes one, sends, and passes the reply on
/// as it comes. Everything but Cancel and last_progress runs on the connection's
/// strand. Internal.
class ClientCall : public Call,
                   private ResponseListener,
                   public std::enable_shared_from_this<ClientCall> {
 public:
  ClientCall(std::shared_ptr<ClientState> state, ClientRequest request, Url url,
             StreamCallbacks callbacks);

  void Start();
  void Cancel() override;
  TimePoint last_progress() const override { return progress_.load(); }

 private:
  using ErrorCode = boost::system::error_code;
  using Endpoints = boost::asio::ip::tcp::resolver::results_type;

  void Begin();
  void Resolve();
  void MakeStream(const boost::asio::any_io_executor& strand);
  void Connect(const Endpoints& endpoints);
  void OnConnected();
  void Send();
  void ResetParser();
  void OnSent(int connection, const ErrorCode& error);
  void Read();
  void OnRead(const ErrorCode& error, size_t bytes);
  void OnReplyRead();
  /// Whether the call goes on: on a new connection, if it broke on a kept one before any reply.
  bool BeginAgain();
  void OnHead(int status, const Headers& headers) override;
  void OnBody(std::string_view part) override;
  void ArmTimer();
  void OnTimer();
  TimePoint deadline() const;
  void End(const absl::Status& status);

  const std::shared_ptr<ClientState> state_;
  const Url url_;
  ClientRequest request_;
  StreamCallbacks callbacks_;
  const TimePoint start_;

  // Closed, not destroyed, at the end: asynchronous operations may still refer to them.
  std::shared_ptr<Stream> stream_;
  bool over_ = false;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer timer_;
  bool kept_ = false;  // The connection served a call before.
  bool connected_ = false;
  int connection_ = 0;       // Counts them, as what was begun on one may end on the next.
  bool sending_ = false;     // The request's write on this connection has not ended.
  bool sent_ = false;        // It has ended well.
  bool reply_read_ = false;  // The whole reply is here; only the end of the write is waited for.
  std::string head_;
  std::optional<ResponseParser> parser_;
  std::array<char, 16384> incoming_;
  std::string input_;
  std::atomic<TimePoint> progress_;

  Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ = false;
};

}  // namespace tandem::http

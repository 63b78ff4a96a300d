#include "http/server_connection.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <exception>

#include "absl/strings/match.h"
#include "base/log.h"
#include "http/error.h"
#include "http/url.h"

namespace tandem::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr size_t kReadAheadBytes = 64 << 10;  // Of a next request, while a reply is pending.
constexpr uint32_t kHeaderBytes = 64 << 10;
constexpr Duration kLingerTime = std::chrono::seconds(2);

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

/// The path and query of a request line, whose target may be a whole address.
bool ReadTarget(std::string_view target, Request& request) {
  if (target.starts_with("http://")) {
    const size_t slash = target.find('/', 7);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  request.target = target;
  const size_t question = target.find('?');
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  const std::optional<std::string> path = DecodePercent(target.substr(0, question));
  if (path) request.path = *path;
  return path.has_value();
}

Response Refusal(const boost::system::error_code& error, const ServerOptions& options) {
  if (error == beast::http::error::body_limit) {
    return ErrorResponse(
        413, fmt::format("the body is longer than the {} bytes accepted", options.max_body_bytes));
  }
  if (error == beast::http::error::header_limit) {
    return ErrorResponse(
        431, fmt::format("the header is longer than the {} bytes accepted", kHeaderBytes));
  }
  return ErrorResponse(400, fmt::format("this is not an HTTP/1.1 request: {}", error.message()));
}

}  // namespace

ServerConnection::ServerConnection(std::shared_ptr<ServerState> state, asio::ip::tcp::socket socket)
    : state_(std::move(state)),
      stream_(Stream::OfServer(std::move(socket), state_->options().tls)),
      timer_(stream_->socket().get_executor()),
      progress_(Clock::Real().Now()) {
  ResetParser();
}

void ServerConnection::Start() {
  asio::post(timer_.get_executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kClosed) return;
    self->ArmTimer(self->state_->options().idle_timeout);
    self->stream_->Handshake([self](const std::string& failure) { self->OnHandshake(failure); });
  });
}

void ServerConnection::OnHandshake(const std::string& failure) {
  if (phase_ == Phase::kClosed) return;
  if (failure.empty()) return Read();
  ErrorCode ignored;
  const auto peer = stream_->socket().remote_endpoint(ignored);
  spdlog::debug("refused a connection from {}: {}", peer.address().to_string(), failure);
  CloseNow();
}

void ServerConnection::Send(std::string bytes, ReplyPart part) {
  asio::post(timer_.get_executor(), [self = shared_from_this(), bytes = std::move(bytes),
                                     part]() mutable { self->Queue(std::move(bytes), part); });
}

bool ServerConnection::closing() const { return state_->stopping(); }

void ServerConnection::Drain() {
  asio::post(timer_.get_executor(), [self = shared_from_this()] {
    const bool idle = self->phase_ == Phase::kReading && !self->parser_->got_some();
    if (idle || self->phase_ == Phase::kLingering) self->CloseNow();
  });
}

void ServerConnection::Close() {
  asio::post(timer_.get_executor(), [self = shared_from_this()] { self->CloseNow(); });
}

void ServerConnection::ResetParser() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(kHeaderBytes);
  parser_->body_limit(state_->options().max_body_bytes);
  continue_sent_ = false;
}

void ServerConnection::Read() {
  if (reading_ || peer_ended_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kReplying && input_.size() >= kReadAheadBytes) return;
  reading_ = true;
  stream_->ReadSome(asio::buffer(incoming_),
                    [self = shared_from_this()](const ErrorCode& error, size_t bytes) {
                      self->reading_ = false;
                      self->OnRead(error, bytes);
                    });
}

void ServerConnection::OnRead(const ErrorCode& error, size_t bytes) {
  if (phase_ == Phase::kClosed) return;
  if (error) return OnReadEnd();
  progress_ = Clock::Real().Now();
  if (phase_ != Phase::kLingering) input_.append(incoming_.data(), bytes);
  if (phase_ == Phase::kReading) Parse();
  Read();
}

void ServerConnection::OnReadEnd() {
  peer_ended_ = true;
  // A reply that is complete still goes out: the client may have closed its sending side only.
  if (phase_ == Phase::kReplying && reply_end_) return;
  CloseNow();
}

void ServerConnection::Parse() {
  ErrorCode error;
  while (!input_.empty() && !parser_->is_done()) {
    const size_t used = parser_->put(asio::buffer(input_), error);
    input_.erase(0, used);
    if (error == beast::http::error::need_more) {
      error = {};
      break;
    }
    if (error) return Reject(error);
  }
  if (parser_->is_done()) return Dispatch();
  if (parser_->is_header_done() && !continue_sent_ &&
      absl::EqualsIgnoreCase(std::string(parser_->get()["Expect"]), "100-continue")) {
    continue_sent_ = true;
    Queue("HTTP/1.1 100 Continue\r\n\r\n", ReplyPart::kMore);
  }
}

void ServerConnection::Reject(const ErrorCode& error) {
  const Response refusal = Refusal(error, state_->options());
  phase_ = Phase::kReplying;
  Queue(EncodeHead(refusal.status, refusal.headers, static_cast<int64_t>(refusal.body.size()), true,
                   false) +
            refusal.body,
        ReplyPart::kLastThenClose);
}

void ServerConnection::Dispatch() {
  phase_ = Phase::kReplying;
  const bool keep_alive = parser_->keep_alive();
  auto message = parser_->release();
  const ReplyFraming framing{.head_only = message.method() == beast::http::verb::head,
                             .chunked = message.version() >= 11,
                             .keep_alive = keep_alive};
  auto exchange = std::make_shared<Exchange>(shared_from_this(), framing);
  exchange_ = exchange;

  Request request;
  request.method = View(message.method_string());
  for (const auto& field : message) {
    request.headers.Add(View(field.name_string()), View(field.value()));
  }
  ErrorCode ignored;
  const auto peer = stream_->socket().remote_endpoint(ignored);
  request.remote_address = fmt::format("{}:{}", peer.address().to_string(), peer.port());
  if (!ReadTarget(View(message.target()), request)) {
    exchange->Respond(ErrorResponse(400, "the path has a '%' without two hexadecimal digits"));
    return;
  }
  request.body = std::move(message.body());
  try {
    state_->handler()(std::move(request), exchange);
  } catch (const std::exception& error) {
    spdlog::error("a handler of HTTP requests threw: {}", error.what());
    exchange->Respond(ErrorResponse(500, "internal error"));
  }
}

void ServerConnection::Queue(std::string bytes, ReplyPart part) {
  if (phase_ == Phase::kClosed) return;
  if (!bytes.empty()) outbox_.push_back(std::move(bytes));
  if (part != ReplyPart::kMore) reply_end_ = part;
  if (sending_.empty()) Flush();
}

void ServerConnection::Flush() {
  if (outbox_.empty()) {
    if (reply_end_) OnReplySent();
    return;
  }
  sending_.swap(outbox_);
  std::vector<asio::const_buffer> buffers;
  for (const std::string& bytes : sending_) buffers.push_back(asio::buffer(bytes));
  progress_ = Clock::Real().Now();
  stream_->Write(buffers, [self = shared_from_this()](const ErrorCode& error, size_t) {
    self->OnWritten(error);
  });
}

void ServerConnection::OnWritten(const ErrorCode& error) {
  if (phase_ == Phase::kClosed) return;
  if (error) return CloseNow();
  progress_ = Clock::Real().Now();
  sending_.clear();
  Flush();
}

void ServerConnection::OnReplySent() {
  const bool close = *reply_end_ == ReplyPart::kLastThenClose || state_->stopping();
  reply_end_.reset();
  exchange_.reset();
  if (peer_ended_) return CloseNow();
  if (close) return Linger();
  phase_ = Phase::kReading;
  ResetParser();
  Parse();
  Read();
}

void ServerConnection::Linger() {
  stream_->ShutdownSend(shared_from_this());
  if (state_->stopping()) return CloseNow();
  phase_ = Phase::kLingering;
  input_.clear();
  ArmTimer(kLingerTime);
  Read();
}

void ServerConnection::ArmTimer(Duration wait) {
  timer_.expires_after(wait);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error) self->OnTimer();
  });
}

void ServerConnection::OnTimer() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLingering) return CloseNow();
  const Duration limit = state_->options().idle_timeout;
  const bool waits_for_handler = phase_ == Phase::kReplying && sending_.empty();
  const Duration silence = Clock::Real().Now() - progress_;
  if (waits_for_handler) return ArmTimer(limit);
  if (silence >= limit) return CloseNow();
  ArmTimer(limit - silence);
}

void ServerConnection::CloseNow() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  stream_->Close();
  timer_.cancel();
  if (const auto exchange = exchange_.lock()) exchange->PeerGone();
  state_->Remove(this);
}

}  // namespace tandem::http

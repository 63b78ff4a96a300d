#include "http/client_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>

namespace tandem::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// How long a call whose reply is complete waits for the end of its own write.
constexpr Duration kSendingGrace = std::chrono::seconds(1);

std::string EncodeRequestHead(const ClientRequest& request, const Url& url) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", request.method, url.target);
  if (!request.headers.Get("Host")) head += fmt::format("Host: {}\r\n", url.Authority());
  for (const auto& [name, value] : request.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    head += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  return head + "\r\n";
}

}  // namespace

ClientCall::ClientCall(std::shared_ptr<ClientState> state, ClientRequest request, Url url,
                       StreamCallbacks callbacks)
    : state_(std::move(state)),
      url_(std::move(url)),
      request_(std::move(request)),
      callbacks_(std::move(callbacks)),
      start_(Clock::Real().Now()),
      stream_(state_->TakeConnection(url_.Server())),
      resolver_(state_->threads().context()),
      timer_(state_->threads().context()),
      progress_(start_) {
  kept_ = connected_ = stream_ != nullptr;
  if (!kept_) MakeStream(asio::make_strand(state_->threads().context()));
  const auto strand = stream_->socket().get_executor();
  resolver_ = tcp::resolver(strand);
  timer_ = asio::steady_timer(strand);
}

void ClientCall::MakeStream(const asio::any_io_executor& strand) {
  stream_ =
      Stream::OfClient(Stream::Socket(strand), url_.https ? state_->tls() : nullptr, url_.host);
}

void ClientCall::Start() {
  asio::post(timer_.get_executor(), [self = shared_from_this()] { self->Begin(); });
}

void ClientCall::Cancel() {
  MutexLock lock(mutex_);
  // Once it has ended nothing may be posted: the client's threads may be gone.
  if (ended_) return;
  asio::post(timer_.get_executor(), [self = shared_from_this()] {
    self->cancelled_ = true;
    self->End(absl::CancelledError("the call was cancelled"));
  });
}

void ClientCall::Begin() {
  if (over_) return;
  head_ = EncodeRequestHead(request_, url_);
  ArmTimer();
  if (connected_) {
    Send();
  } else {
    Resolve();
  }
}

void ClientCall::Resolve() {
  ErrorCode error;
  const auto address = asio::ip::make_address(url_.host, error);
  if (!error) {
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(url_.port));
    return Connect(Endpoints::create(endpoint, url_.host, std::to_string(url_.port)));
  }
  resolver_.async_resolve(
      url_.host, std::to_string(url_.port),
      [self = shared_from_this()](const ErrorCode& error, const Endpoints& endpoints) {
        if (self->over_) return;
        if (!error) return self->Connect(endpoints);
        self->End(absl::UnavailableError(
            fmt::format("host '{}' does not resolve: {}", self->url_.host, error.message())));
      });
}

void ClientCall::Connect(const Endpoints& endpoints) {
  asio::async_connect(
      stream_->socket(), endpoints,
      [self = shared_from_this()](const ErrorCode& error, const tcp::endpoint&) {
        if (self->over_) return;
        if (error) {
          return self->End(absl::UnavailableError(
              fmt::format("cannot connect to {}: {}", self->url_.Authority(), error.message())));
        }
        self->OnConnected();
      });
}

void ClientCall::OnConnected() {
  ErrorCode ignored;
  stream_->socket().set_option(tcp::no_delay(true), ignored);
  stream_->socket().set_option(asio::socket_base::keep_alive(true), ignored);
  stream_->Handshake([self = shared_from_this(), stream = stream_](const std::string& failure) {
    if (self->over_) return;
    if (failure.empty()) return self->Send();
    self->End(absl::UnavailableError(
        fmt::format("cannot connect to {}: {}", self->url_.Authority(), failure)));
  });
}

void ClientCall::Send() {
  connected_ = true;
  progress_ = Clock::Real().Now();
  ArmTimer();
  ResetParser();
  sending_ = true;
  stream_->Write({asio::buffer(head_), asio::buffer(request_.body)},
                 [self = shared_from_this(), stream = stream_, connection = connection_](
                     const ErrorCode& error, size_t) { self->OnSent(connection, error); });
  Read();
}

void ClientCall::OnSent(int connection, const ErrorCode& error) {
  if (over_ || connection != connection_) return;
  sending_ = false;
  // After an error the read ends too, and may still bring the server's reason.
  sent_ = !error;
  progress_ = Clock::Real().Now();
  if (reply_read_) End(absl::OkStatus());
}

void ClientCall::ResetParser() {
  ResponseListener& listener = *this;
  parser_.emplace(listener);
  parser_->skip(request_.method == "HEAD");
}

void ClientCall::Read() {
  stream_->ReadSome(asio::buffer(incoming_),
                    [self = shared_from_this(), stream = stream_](
                        const ErrorCode& error, size_t bytes) { self->OnRead(error, bytes); });
}

void ClientCall::OnRead(const ErrorCode& error, size_t bytes) {
  if (over_) return;
  progress_ = Clock::Real().Now();
  ErrorCode parse_error;
  if (error) {
    if (BeginAgain()) return;
    if (error == asio::error::eof && parser_->got_some()) parser_->put_eof(parse_error);
    if (!parse_error && parser_->is_done()) return End(absl::OkStatus());
    return End(absl::UnavailableError(
        fmt::format("the connection to {} broke before the end of the reply: {}", url_.Authority(),
                    error.message())));
  }
  input_.append(incoming_.data(), bytes);
  while (!input_.empty() && !parse_error) {
    input_.erase(0, parser_->put(asio::buffer(input_), parse_error));
    if (!parser_->is_done()) continue;
    const bool interim = parser_->status() >= 100 && parser_->status() < 200;
    if (!interim) return OnReplyRead();
    ResetParser();
  }
  if (parse_error && parse_error != boost::beast::http::error::need_more) {
    return End(absl::UnavailableError(fmt::format("{} does not answer in HTTP/1.1: {}",
                                                  url_.Authority(), parse_error.message())));
  }
  Read();
}

void ClientCall::OnReplyRead() {
  const bool reusable = parser_->keep_alive() && input_.empty();
  if (!sending_ || !reusable) return End(absl::OkStatus());
  // With several threads the reply may be read before the end of the write is told, in which case
  // the connection is as good as any. A server that does not read the whole request is not waited
  // for any longer.
  reply_read_ = true;
  progress_ = Clock::Real().Now();
  ArmTimer();
}

bool ClientCall::BeginAgain() {
  if (!kept_ || parser_->got_some() || !input_.empty()) return false;
  kept_ = connected_ = sending_ = sent_ = false;
  ++connection_;
  // The write on the old connection may still be in flight, with this call's buffers: it ends
  // first, as both run on one strand and a closed socket completes it with an error.
  MakeStream(stream_->socket().get_executor());
  progress_ = Clock::Real().Now();
  ArmTimer();
  Resolve();
  return true;
}

void ClientCall::OnHead(int status, const Headers& headers) {
  if (callbacks_.on_headers && !cancelled_) callbacks_.on_headers(status, headers);
}

void ClientCall::OnBody(std::string_view part) {
  if (callbacks_.on_body && !cancelled_) callbacks_.on_body(part);
}

TimePoint ClientCall::deadline() const {
  if (reply_read_) return progress_.load() + kSendingGrace;
  Duration silence = connected_ ? request_.idle_timeout : request_.connect_timeout;
  const bool begun = parser_ && parser_->got_some();
  if (connected_ && !begun) silence = std::max(silence, request_.first_byte_timeout);
  return std::min(progress_.load() + silence, start_ + request_.total_timeout);
}

void ClientCall::ArmTimer() {
  timer_.expires_at(deadline());
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error) self->OnTimer();
  });
}

void ClientCall::OnTimer() {
  if (over_) return;
  const TimePoint now = Clock::Real().Now();
  // Reading moves the deadline on without touching the timer, except for the first byte.
  if (now < deadline()) return ArmTimer();
  if (reply_read_) return End(absl::OkStatus());
  if (!connected_) {
    return End(absl::UnavailableError(fmt::format("cannot connect to {} within {:.1f} s",
                                                  url_.Authority(), Seconds(now - start_))));
  }
  const bool total = now >= start_ + request_.total_timeout;
  End(absl::DeadlineExceededError(fmt::format("{} {} for {:.1f} s", url_.Authority(),
                                              total ? "did not complete its reply" : "was silent",
                                              Seconds(now - (total ? start_ : progress_.load())))));
}

void ClientCall::End(const absl::Status& status) {
  if (over_) return;
  const bool reusable = status.ok() && sent_ && input_.empty() && parser_->keep_alive();
  over_ = true;
  if (reusable) {
    state_->KeepConnection(url_.Server(), std::move(stream_));
  } else {
    stream_->Close();
  }
  timer_.cancel();
  resolver_.cancel();
  {
    MutexLock lock(mutex_);
    ended_ = true;
  }
  StreamCallbacks callbacks = std::move(callbacks_);
  callbacks_ = {};
  if (callbacks.on_end) callbacks.on_end(status);
  state_->Remove(this);
}

}  // namespace tandem::http

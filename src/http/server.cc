#include "http/server.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "base/log.h"
#include "base/status.h"
#include "http/server_connection.h"

namespace tandem::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

/// Accepts connections until it is closed. Runs on its own strand.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  explicit Listener(std::shared_ptr<ServerState> state)
      : state_(std::move(state)),
        acceptor_(asio::make_strand(state_->threads().context())),
        retry_(acceptor_.get_executor()) {}

  absl::Status Listen(const std::string& host, int port);
  int port() const { return port_; }
  void Start() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] { self->Accept(); });
  }
  void Close() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
      ErrorCode ignored;
      self->acceptor_.close(ignored);
      self->retry_.cancel();
    });
  }

 private:
  void Accept();
  void OnAccept(const ErrorCode& error, tcp::socket socket);

  const std::shared_ptr<ServerState> state_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  int port_ = 0;
};

absl::Status Listener::Listen(const std::string& host, int port) {
  const std::string where = fmt::format("{}:{}", host, port);
  ErrorCode error;
  tcp::resolver resolver(state_->threads().context());
  const auto found = resolver.resolve(
      host, std::to_string(port), tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "cannot listen on {}: host '{}' does not resolve ({})", where, host, error.message()));
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return absl::AlreadyExistsError(
        fmt::format("cannot listen on {}: the port is in use by another program", where));
  }
  if (error == asio::error::access_denied) {
    return absl::PermissionDeniedError(
        fmt::format("cannot listen on {}: {}", where, error.message()));
  }
  if (error) {
    return absl::InvalidArgumentError(
        fmt::format("cannot listen on {}: {}", where, error.message()));
  }
  port_ = acceptor_.local_endpoint(error).port();
  return absl::OkStatus();
}

void Listener::Accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept(asio::make_strand(state_->threads().context()),
                         [self = shared_from_this()](const ErrorCode& error, tcp::socket socket) {
                           self->OnAccept(error, std::move(socket));
                         });
}

void Listener::OnAccept(const ErrorCode& error, tcp::socket socket) {
  if (!acceptor_.is_open()) return;
  if (error) {
    // Out of descriptors, as a rule: the connection stays in the queue, so trying again at once
    // would only spin.
    spdlog::warn("cannot accept a connection: {}", error.message());
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([self = shared_from_this()](const ErrorCode&) { self->Accept(); });
    return;
  }
  ErrorCode ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  auto connection = std::make_shared<ServerConnection>(state_, std::move(socket));
  // One that comes while the server stops is dropped: nobody would drain or close it.
  if (!state_->Add(connection)) return;
  connection->Start();
  Accept();
}

class ListeningServer : public Server {
 public:
  ListeningServer(std::shared_ptr<ServerState> state, std::shared_ptr<Listener> listener)
      : state_(std::move(state)), listener_(std::move(listener)), port_(listener_->port()) {
    listener_->Start();
  }
  ~ListeningServer() override { Stop(Clock::Real().Now()); }

  int port() const override { return port_; }

  bool Drain(TimePoint deadline) override {
    if (listener_ == nullptr) return true;
    state_->StartStopping();
    listener_->Close();
    for (const auto& connection : state_->Connections()) connection->Drain();
    return state_->WaitUntilEmpty(deadline);
  }

  void Stop(TimePoint deadline) override {
    if (listener_ == nullptr) return;
    Drain(deadline);
    listener_.reset();
    for (const auto& connection : state_->Connections()) connection->Close();
    state_->threads().Join();
  }

 private:
  const std::shared_ptr<ServerState> state_;
  std::shared_ptr<Listener> listener_;
  const int port_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      Handler handler) {
  if (options.port < 0 || options.port > 65535) {
    return absl::InvalidArgumentError(
        fmt::format("port {} is not accepted; accepted is 0 to 65535", options.port));
  }
  auto state = std::make_shared<ServerState>(options, std::move(handler));
  auto listener = std::make_shared<Listener>(state);
  RETURN_IF_ERROR(listener->Listen(options.host, options.port));
  return std::make_unique<ListeningServer>(std::move(state), std::move(listener));
}

}  // namespace tandem::http

#include "transfer/stream_transport.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "base/host_port.h"
#include "base/status.h"
#include "transfer/mailbox.h"
#include "transfer/network_interface.h"
#include "transfer/socket_address.h"
#include "transfer/stream_requester.h"
#include "transfer/stream_service.h"

namespace tandem::transfer {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

/// A thread and what runs on it. Its methods but Post, context and Stop run there.
class StreamTransport::Lane {
 public:
  explicit Lane(StreamTransport& transport)
      : transport_(transport),
        mailbox_(std::make_shared<Mailbox>([this](Mailbox::Task task) { Post(std::move(task)); })),
        work_(context_.get_executor()),
        thread_([this] { context_.run(); }) {}
  ~Lane() { Stop(); }

  asio::io_context& context() { return context_; }
  template <typename Task>
  void Post(Task task) {
    asio::post(context_, std::move(task));
  }

  /// Ends all connections, once what they have begun has, and the thread.
  void Stop() {
    if (!thread_.joinable()) return;
    mailbox_->Close();
    Post([this] {
      stopping_ = true;
      while (!requesters_.empty()) {
        const std::shared_ptr<StreamRequester> requester = requesters_.begin()->second;
        requester->Drop(absl::CancelledError("the transport is closed"));
      }
      while (!services_.empty()) {
        const std::shared_ptr<StreamService> service = *services_.begin();
        service->Close();
      }
      work_.reset();
    });
    thread_.join();
  }

  void Submit(const std::string& endpoint, const SocketAddress& address,
              std::vector<OutgoingRequest> requests) {
    auto found = requesters_.find(endpoint);
    if (found != requesters_.end() && found->second->IsStuck()) {
      const std::shared_ptr<StreamRequester> stuck = found->second;
      stuck->Drop(absl::UnavailableError(fmt::format("{} has fallen silent", endpoint)));
      found = requesters_.end();
    }
    std::shared_ptr<StreamRequester> requester;
    if (found != requesters_.end()) {
      requester = found->second;
    } else {
      requester = std::make_shared<StreamRequester>(
          context_, transport_.client_, transport_.security_.token.secret(),
          StreamRequester::Peer{endpoint, address},
          [this, endpoint] { requesters_.erase(endpoint); });
      requesters_[endpoint] = requester;
      requester->Start();
    }
    requester->Submit(std::move(requests));
  }

  void Abandon(const std::string& endpoint) {
    const auto found = requesters_.find(endpoint);
    if (found == requesters_.end()) return;
    const std::shared_ptr<StreamRequester> silent = found->second;
    silent->Drop(absl::UnavailableError(fmt::format("{} was given up", endpoint)));
  }

  void Accept(tcp::socket socket) {
    if (stopping_) return;
    auto key = std::make_shared<std::weak_ptr<StreamService>>();
    auto service = std::make_shared<StreamService>(
        std::move(socket), transport_.server_, transport_.security_.token, transport_.host_,
        mailbox_, [this, key] { services_.erase(key->lock()); });
    *key = service;
    services_.insert(service);
    service->Start();
  }

 private:
  StreamTransport& transport_;
  asio::io_context context_{1};
  const std::shared_ptr<Mailbox> mailbox_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  bool stopping_ = false;
  std::map<std::string, std::shared_ptr<StreamRequester>> requesters_;  // by endpoint
  std::set<std::shared_ptr<StreamService>> services_;
  std::thread thread_;
};

/// Accepts peers and hands them out to the lanes, on the first one's thread.
class StreamTransport::Listener : public std::enable_shared_from_this<Listener> {
 public:
  explicit Listener(std::vector<std::unique_ptr<Lane>>& lanes)
      : lanes_(lanes), acceptor_(lanes.front()->context()), retry_(lanes.front()->context()) {}

  ErrorCode Listen(const std::string& host, int port) {
    const absl::StatusOr<SocketAddress> address = ResolveAddress(host, port);
    if (!address.ok()) return asio::error::host_not_found;
    tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), address->get(), address->length);
    endpoint.resize(address->length);
    ErrorCode error, ignored;
    acceptor_.close(ignored);
    acceptor_.open(endpoint.protocol(), error);
    // A port of the user's choice may have connections of an earlier process.
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    return error;
  }
  int port() {
    ErrorCode ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

  void Accept() {
    Lane& lane = *lanes_[next_++ % lanes_.size()];
    acceptor_.async_accept(lane.context(), [self = shared_from_this(), &lane](
                                               const ErrorCode& error, tcp::socket socket) {
      if (!self->acceptor_.is_open()) return;
      if (!error) {
        auto accepted = std::make_shared<tcp::socket>(std::move(socket));
        lane.Post([&lane, accepted] { lane.Accept(std::move(*accepted)); });
        return self->Accept();
      }
      // Out of descriptors, say: trying again at once would only spin.
      spdlog::warn("cannot accept a peer: {}", error.message());
      self->retry_.expires_after(std::chrono::milliseconds(100));
      self->retry_.async_wait([self](const ErrorCode&) {
        if (self->acceptor_.is_open()) self->Accept();
      });
    });
  }
  void Close() {
    ErrorCode ignored;
    acceptor_.close(ignored);
    retry_.cancel();
  }

 private:
  std::vector<std::unique_ptr<Lane>>& lanes_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  size_t next_ = 0;
};

StreamTransport::StreamTransport(ExtentHost& host) : host_(host) {}

absl::StatusOr<std::unique_ptr<Transport>> StreamTransport::Create(const TransportOptions& options,
                                                                   ExtentHost& host) {
  std::unique_ptr<StreamTransport> transport(new StreamTransport(host));
  RETURN_IF_ERROR(transport->Open(options));
  return transport;
}

absl::Status StreamTransport::Open(const TransportOptions& options) {
  security_ = options.security;
  if (security_.tls) {
    ASSIGN_OR_RETURN(client_, MakeTlsClientContext(security_.files));
    if (options.listen) {
      ASSIGN_OR_RETURN(server_, MakeTlsServerContext(security_.files));
    }
  }
  RETURN_IF_ERROR(WaitForInterfaceOf(options.hostname).status());
  for (int i = 0; i < std::max(1, options.connections); ++i) {
    lanes_.push_back(std::make_unique<Lane>(*this));
  }
  if (!options.listen) return absl::OkStatus();
  auto listener = std::make_shared<Listener>(lanes_);
  ErrorCode error = listener->Listen(options.hostname, options.port);
  // A name may reach this host without being the address of one of its interfaces.
  if (error && error != asio::error::address_in_use) {
    error = listener->Listen("0.0.0.0", options.port);
  }
  if (error) {
    return absl::UnavailableError(fmt::format("cannot listen for data on local_hostname {}: {}",
                                              FormatHostPort(options.hostname, options.port),
                                              error.message()));
  }
  port_ = listener->port();
  endpoint_ = FormatHostPort(options.hostname, port_);
  listener_ = std::move(listener);
  lanes_.front()->Post([listener = listener_] { listener->Accept(); });
  return absl::OkStatus();
}

StreamTransport::~StreamTransport() {
  if (listener_ != nullptr) {
    lanes_.front()->Post([listener = std::move(listener_)] { listener->Close(); });
  }
  for (const std::unique_ptr<Lane>& lane : lanes_) lane->Stop();
}

bool StreamTransport::HasGone(const std::string& endpoint, TimePoint deadline) {
  const absl::StatusOr<SocketAddress> address = ResolveEndpoint(endpoint);
  return address.ok() && RefusesConnections(*address, deadline);
}

void StreamTransport::Abandon(const std::string& endpoint) {
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    lane->Post([lane = lane.get(), endpoint] { lane->Abandon(endpoint); });
  }
}

void StreamTransport::SubmitTo(size_t lane, const std::string& endpoint,
                               const SocketAddress& address,
                               std::vector<OutgoingRequest> requests) {
  lanes_[lane]->Post(
      [lane = lanes_[lane].get(), endpoint, address, requests = std::move(requests)]() mutable {
        lane->Submit(endpoint, address, std::move(requests));
      });
}

}  // namespace tandem::transfer

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/security.h"
#include "transfer/outgoing_request.h"

namespace tandem::transfer {

/// A transport over TCP, plain or with TLS: several lanes, each a thread with a connection to each
/// peer, and some of the peers' connections. Peers show the pool's token first.
class StreamTransport : public RequestTransport {
 public:
  static absl::StatusOr<std::unique_ptr<Transport>> Create(const TransportOptions& options,
                                                           ExtentHost& host);
  ~StreamTransport() override;

  const std::string& endpoint() const override { return endpoint_; }
  int port() const override { return port_; }
  void Abandon(const std::string& endpoint) override;
  bool HasGone(const std::string& endpoint, TimePoint deadline) override;

 private:
  class Lane;
  class Listener;

  explicit StreamTransport(ExtentHost& host);
  absl::Status Open(const TransportOptions& options);
  size_t lanes() const override { return lanes_.size(); }
  void SubmitTo(size_t lane, const std::string& endpoint, const SocketAddress& address,
                std::vector<OutgoingRequest> requests) override;

  ExtentHost& host_;
  Security security_;
  TlsContext server_, client_;  // null without TLS
  std::string endpoint_;
  int port_ = 0;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::shared_ptr<Listener> listener_;
};

}  // namespace tandem::transfer

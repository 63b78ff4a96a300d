#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transfer/outgoing_request.h"
#include "transfer/ucx_context.h"
#include "transfer/ucx_requester.h"
#include "transfer/ucx_service.h"
#include "transfer/ucx_worker.h"

namespace tandem::transfer {

/// A transport over UCX active messages: several workers, each with a thread, a requester and a
/// service; the first also listens and hands connections out to all.
class UcxTransport : public RequestTransport {
 public:
  static absl::StatusOr<std::unique_ptr<Transport>> Create(const TransportOptions& options,
                                                           ExtentHost& host);
  ~UcxTransport() override;

  const std::string& endpoint() const override { return endpoint_; }
  int port() const override { return port_; }
  void Abandon(const std::string& endpoint) override;
  bool HasGone(const std::string& endpoint, TimePoint deadline) override;

 private:
  /// A worker with what runs on its thread. The worker comes last: it ends first.
  struct Lane {
    std::unique_ptr<UcxRequester> requester;
    std::unique_ptr<UcxService> service;
    std::unique_ptr<UcxWorker> worker;
  };

  UcxTransport() = default;
  absl::Status Open(const TransportOptions& options, ExtentHost& host);
  absl::Status Listen(const std::string& hostname, int port);
  ucs_status_t ListenOn(const std::string& host, int port);
  static void OnConnection(ucp_conn_request_h request, void* self);
  size_t lanes() const override { return lanes_.size(); }
  void SubmitTo(size_t lane, const std::string& endpoint, const SocketAddress& address,
                std::vector<OutgoingRequest> requests) override;

  UcxContext context_;
  bool tcp_ = true;
  std::string endpoint_;
  int port_ = 0;
  ucp_listener_h listener_ = nullptr;
  size_t next_accept_ = 0;  // of the first worker's thread
  std::vector<Lane> lanes_;
};

}  // namespace tandem::transfer

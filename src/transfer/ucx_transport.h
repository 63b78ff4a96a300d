#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "transfer/transport.h"
#include "transfer/ucx_context.h"
#include "transfer/ucx_requester.h"
#include "transfer/ucx_service.h"
#include "transfer/ucx_worker.h"

namespace tandem::transfer {

/// A transport over UCX active messages: several workers, each with a thread, a requester and a
/// service; the first also listens and hands connections out to all.
class UcxTransport : public Transport {
 public:
  static absl::StatusOr<std::unique_ptr<Transport>> Create(const TransportOptions& options,
                                                           ExtentHost& host);
  ~UcxTransport() override;

  const std::string& endpoint() const override { return endpoint_; }
  int port() const override { return port_; }
  std::shared_ptr<Transfer> Read(const std::string& endpoint,
                                 std::vector<ReadOperation> operations) override;
  std::shared_ptr<Transfer> Write(const std::string& endpoint,
                                  std::vector<WriteOperation> operations) override;
  std::shared_ptr<Transfer> Publish(const std::string& endpoint,
                                    std::vector<HeldObject> objects) override;
  std::shared_ptr<Transfer> Forget(const std::string& endpoint,
                                   std::vector<Extent> extents) override;

 private:
  /// A worker with what runs on its thread. The worker comes last: it ends first.
  struct Lane {
    std::unique_ptr<UcxRequester> requester;
    std::unique_ptr<UcxService> service;
    std::unique_ptr<UcxWorker> worker;
  };

  UcxTransport() = default;
  absl::Status Open(const TransportOptions& options, ExtentHost& host);
  absl::Status Listen(const std::string& hostname);
  ucs_status_t ListenOn(const std::string& host);
  static void OnConnection(ucp_conn_request_h request, void* self);
  std::shared_ptr<Transfer> Submit(const std::string& endpoint,
                                   std::vector<OutgoingRequest> requests);

  UcxContext context_;
  std::string endpoint_;
  int port_ = 0;
  ucp_listener_h listener_ = nullptr;
  size_t next_accept_ = 0;  // of the first worker's thread
  std::atomic<size_t> next_lane_ = 0;
  std::vector<Lane> lanes_;
};

}  // namespace tandem::transfer

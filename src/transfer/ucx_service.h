#pragma once

#include <ucp/api/ucp.h>

#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "transfer/extent_host.h"
#include "transfer/mailbox.h"
#include "transfer/message.h"
#include "transfer/ucx_worker.h"

namespace tandem::transfer {

/// Answers the requests that reach one worker, on that worker's thread.
class UcxService {
 public:
  /// `host` must outlive it, and it must outlive the worker's thread. Create it before the worker
  /// starts.
  UcxService(UcxWorker& worker, ExtentHost& host);

  /// Takes a connection that a listener was offered.
  void Accept(ucp_conn_request_h request);
  void CloseAll();

 private:
  /// One requester's connection; `endpoint` is null once it has ended.
  struct Connection {
    UcxService* service;
    ucp_ep_h endpoint = nullptr;
  };
  using ConnectionPointer = std::shared_ptr<Connection>;

  static ucs_status_t OnRequest(void* self, const void* header, size_t header_length, void* data,
                                size_t length, const ucp_am_recv_param_t* params);
  static void OnError(void* connection, ucp_ep_h endpoint, ucs_status_t status);

  void Drop(ucp_ep_h endpoint);
  ucs_status_t Serve(const ConnectionPointer& connection, const RequestHeader& request, void* data,
                     size_t length, bool rendezvous);
  void ReadDisk(const ConnectionPointer& connection, const RequestHeader& request);
  ucs_status_t Write(const ConnectionPointer& connection, const RequestHeader& request, void* data,
                     size_t length, bool rendezvous);
  ucs_status_t Put(const ConnectionPointer& connection, const RequestHeader& request, void* data,
                   size_t length, bool rendezvous);
  void Reply(const ConnectionPointer& connection, uint64_t id, const absl::Status& status);
  void Answer(const ConnectionPointer& connection, uint64_t id,
              absl::StatusOr<ReadableBytes> bytes);
  void Reply(const ConnectionPointer& connection, uint64_t id, absl::StatusCode code,
             ReadableBytes data);

  UcxWorker& worker_;
  ExtentHost& host_;
  const std::shared_ptr<Mailbox> mailbox_;  // of the worker's thread
  std::unordered_map<ucp_ep_h, ConnectionPointer> connections_;
};

}  // namespace tandem::transfer

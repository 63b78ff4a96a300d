#pragma once

#include <ucp/api/ucp.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "transfer/message.h"
#include "transfer/outgoing_request.h"
#include "transfer/socket_address.h"
#include "transfer/ucx_worker.h"

namespace tandem::transfer {

/// Sends requests from one worker and takes their replies, on that worker's thread. Keeps one
/// connection to each peer and a bounded number of requests in flight on each.
class UcxRequester {
 public:
  /// Create it before the worker starts; it must outlive the worker's thread.
  explicit UcxRequester(UcxWorker& worker);

  void Submit(const std::string& endpoint, const SocketAddress& address,
              std::vector<OutgoingRequest> requests);
  /// Drops the connection to a peer, if there is one.
  void Abandon(const std::string& endpoint);
  void CloseAll();

 private:
  using RequestPointer = std::shared_ptr<OutgoingRequest>;
  struct Connection {
    UcxRequester* requester;
    std::string peer;
    ucp_ep_h endpoint = nullptr;  // null once the connection has ended
    std::deque<RequestPointer> queue;
    std::unordered_map<uint64_t, RequestPointer> in_flight;
    TimePoint last_reply;
    bool answered = false;
  };
  using ConnectionPointer = std::shared_ptr<Connection>;

  static ucs_status_t OnReply(void* self, const void* header, size_t header_length, void* data,
                              size_t length, const ucp_am_recv_param_t* params);
  static void OnError(void* connection, ucp_ep_h endpoint, ucs_status_t status);

  absl::StatusOr<ConnectionPointer> Connect(const std::string& peer, const SocketAddress& address);
  void Pump(const ConnectionPointer& connection);
  void Send(const ConnectionPointer& connection, const RequestPointer& request);
  ucs_status_t TakeReply(const ReplyHeader& reply, void* data, size_t length, bool rendezvous);
  void End(const ConnectionPointer& connection, const RequestPointer& request,
           const absl::Status& status);
  void Drop(const ConnectionPointer& connection, const absl::Status& reason);

  UcxWorker& worker_;
  std::map<std::string, ConnectionPointer> connections_;     // by peer
  std::unordered_map<uint64_t, ConnectionPointer> waiting_;  // by id of a request in flight
  uint64_t next_id_ = 1;
};

}  // namespace tandem::transfer

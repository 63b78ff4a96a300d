#include "transfer/ucx_requester.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "base/status.h"
#include "transfer/ucx_messages.h"

namespace tandem::transfer {
namespace {

// Enough to fill a fast network's round trip with messages of 1 MiB.
constexpr size_t kMaxInFlight = 16;
// A connection on which nothing came back for so long is given up when it is next used.
constexpr Duration kStuckAfter = std::chrono::seconds(2);

}  // namespace

UcxRequester::UcxRequester(UcxWorker& worker) : worker_(worker) {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS |
                      UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = kReplyMessage;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = &OnReply;
  params.arg = this;
  ucp_worker_set_am_recv_handler(worker_.handle(), &params);
}

void UcxRequester::Submit(const std::string& endpoint, const SocketAddress& address,
                          std::vector<OutgoingRequest> requests) {
  const TimePoint now = Clock::Real().Now();
  auto found = connections_.find(endpoint);
  if (found != connections_.end() && !found->second->in_flight.empty() &&
      now - found->second->last_reply > kStuckAfter) {
    Drop(found->second, absl::UnavailableError(fmt::format("{} has fallen silent", endpoint)));
    found = connections_.end();
  }
  if (found == connections_.end()) {
    absl::StatusOr<ConnectionPointer> connection = Connect(endpoint, address);
    if (!connection.ok()) {
      for (OutgoingRequest& request : requests) request.transfer->EndPart(connection.status());
      return;
    }
    found = connections_.insert_or_assign(endpoint, *std::move(connection)).first;
  }
  const ConnectionPointer connection = found->second;
  if (connection->in_flight.empty()) connection->last_reply = now;
  for (OutgoingRequest& request : requests) {
    connection->queue.push_back(std::make_shared<OutgoingRequest>(std::move(request)));
  }
  Pump(connection);
}

absl::StatusOr<UcxRequester::ConnectionPointer> UcxRequester::Connect(
    const std::string& peer, const SocketAddress& address) {
  auto connection = std::make_shared<Connection>(Connection{this, peer});
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
  params.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
  params.sockaddr = {address.get(), address.length};
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler = {&OnError, connection.get()};
  RETURN_IF_ERROR(ToStatus(ucp_ep_create(worker_.handle(), &params, &connection->endpoint),
                           fmt::format("cannot connect to {}", peer)));
  return connection;
}

void UcxRequester::Abandon(const std::string& endpoint) {
  const auto found = connections_.find(endpoint);
  if (found == connections_.end()) return;
  const ConnectionPointer silent = found->second;
  Drop(silent, absl::UnavailableError(fmt::format("{} was given up", endpoint)));
}

void UcxRequester::CloseAll() {
  // UCX 1.13 takes a late event of a socket that was closed while it connected for one of the
  // socket that has its number next, and aborts the process.
  std::vector<ucp_ep_h> connecting;
  for (const auto& [peer, connection] : connections_) {
    if (!connection->answered) connecting.push_back(connection->endpoint);
  }
  worker_.Flush(connecting);
  while (!connections_.empty()) {
    const ConnectionPointer connection = connections_.begin()->second;
    Drop(connection, absl::CancelledError("the transport is closed"));
  }
}

void UcxRequester::OnError(void* connection, ucp_ep_h, ucs_status_t status) {
  const std::string peer = static_cast<Connection*>(connection)->peer;
  UcxRequester* requester = static_cast<Connection*>(connection)->requester;
  // Endpoints must not be closed inside their own callbacks.
  requester->worker_.Post([requester, connection, peer, status] {
    const auto found = requester->connections_.find(peer);
    if (found == requester->connections_.end() || found->second.get() != connection) return;
    const ConnectionPointer broken = found->second;
    requester->Drop(broken, ToStatus(status, fmt::format("the connection to {} broke", peer)));
  });
}

void UcxRequester::Drop(const ConnectionPointer& connection, const absl::Status& reason) {
  connections_.erase(connection->peer);
  worker_.Close(std::exchange(connection->endpoint, nullptr));
  const auto queue = std::exchange(connection->queue, {});
  const auto in_flight = std::exchange(connection->in_flight, {});
  for (const RequestPointer& request : queue) End(connection, request, reason);
  for (const auto& [id, request] : in_flight) End(connection, request, reason);
}

void UcxRequester::Pump(const ConnectionPointer& connection) {
  while (connection->endpoint != nullptr && !connection->queue.empty() &&
         connection->in_flight.size() < kMaxInFlight) {
    const RequestPointer request = std::move(connection->queue.front());
    connection->queue.pop_front();
    if (request->transfer->cancelled()) {
      request->End(absl::CancelledError("the transfer was given up"));
      continue;
    }
    Send(connection, request);
  }
}

void UcxRequester::Send(const ConnectionPointer& connection, const RequestPointer& request) {
  request->header.id = next_id_++;
  connection->in_flight[request->header.id] = request;
  waiting_[request->header.id] = connection;
  request->MakeChecksum();
  request->Gather();
  auto header = std::make_shared<const std::string>(Pack(request->header));
  worker_.Send(connection->endpoint, kRequestMessage, BytesOf(*header), request->source.bytes,
               UCP_AM_SEND_FLAG_REPLY, [this, connection, request, header](ucs_status_t status) {
                 if (status == UCS_OK) return;  // the reply ends it
                 End(connection, request, ToStatus(status, "cannot send to " + connection->peer));
               });
}

ucs_status_t UcxRequester::OnReply(void* self, const void* header, size_t header_length, void* data,
                                   size_t length, const ucp_am_recv_param_t* params) {
  const auto reply = UnpackReply(BytesOf(header, header_length));
  if (!reply.ok()) return UCS_OK;  // whoever waits for it runs into its time limit
  return static_cast<UcxRequester*>(self)->TakeReply(
      *reply, data, length, (params->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0);
}

ucs_status_t UcxRequester::TakeReply(const ReplyHeader& reply, void* data, size_t length,
                                     bool rendezvous) {
  const auto waiting = waiting_.find(reply.id);
  if (waiting == waiting_.end()) return UCS_OK;  // given up long ago
  const ConnectionPointer connection = waiting->second;
  const RequestPointer request = connection->in_flight[reply.id];
  connection->last_reply = Clock::Real().Now();
  connection->answered = true;
  if (reply.code != absl::StatusCode::kOk) {
    const std::string_view text =
        rendezvous ? "" : std::string_view(static_cast<const char*>(data), length);
    End(connection, request,
        absl::Status(reply.code, fmt::format("{}: {}", connection->peer, text)));
    return UCS_OK;
  }
  const std::span<std::byte> destination = request->destination.bytes;
  if (length != destination.size()) {
    End(connection, request, absl::DataLossError("a reply of another length than was asked for"));
    return UCS_OK;
  }
  if (!rendezvous) {
    if (length > 0) std::memcpy(destination.data(), data, length);
    End(connection, request, absl::OkStatus());
    return UCS_OK;
  }
  worker_.Receive(data, destination, [this, connection, request](ucs_status_t status) {
    End(connection, request, ToStatus(status, "the data did not arrive"));
  });
  return UCS_INPROGRESS;
}

void UcxRequester::End(const ConnectionPointer& connection, const RequestPointer& request,
                       const absl::Status& status) {
  if (request->ended) return;
  connection->in_flight.erase(request->header.id);
  waiting_.erase(request->header.id);
  request->End(status);
  Pump(connection);
}

}  // namespace tandem::transfer

#include "transfer/ucx_transport.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/host_port.h"
#include "base/status.h"
#include "transfer/message.h"
#include "transfer/network_interface.h"
#include "transfer/socket_address.h"

namespace tandem::transfer {

absl::StatusOr<std::unique_ptr<Transport>> UcxTransport::Create(const TransportOptions& options,
                                                                ExtentHost& host) {
  std::unique_ptr<UcxTransport> transport(new UcxTransport);
  RETURN_IF_ERROR(transport->Open(options, host));
  return transport;
}

absl::Status UcxTransport::Open(const TransportOptions& options, ExtentHost& host) {
  ASSIGN_OR_RETURN(std::string interface, WaitForInterfaceOf(options.hostname));
  // Who only asks may reach owners by another way than the loopback that it is known by.
  if (!options.listen && interface == "lo") interface.clear();
  tcp_ = options.protocol == "tcp";
  ASSIGN_OR_RETURN(context_, OpenUcx(options.protocol, options.device_name, interface));
  for (int i = 0; i < std::max(1, options.connections); ++i) {
    Lane lane;
    ASSIGN_OR_RETURN(lane.worker, UcxWorker::Create(context_.get()));
    lane.requester = std::make_unique<UcxRequester>(*lane.worker);
    lane.service = std::make_unique<UcxService>(*lane.worker, host);
    lanes_.push_back(std::move(lane));
  }
  if (options.listen) RETURN_IF_ERROR(Listen(options.hostname, options.port));
  for (Lane& lane : lanes_) lane.worker->Start();
  return absl::OkStatus();
}

absl::Status UcxTransport::Listen(const std::string& hostname, int port) {
  ucs_status_t status = ListenOn(hostname, port);
  if (status != UCS_OK) {
    // A name may reach this host without being the address of one of its interfaces.
    status = ListenOn("0.0.0.0", port);
  }
  endpoint_ = FormatHostPort(hostname, port_);
  return ToStatus(status, fmt::format("cannot listen for data on local_hostname {}", hostname));
}

ucs_status_t UcxTransport::ListenOn(const std::string& host, int port) {
  const absl::StatusOr<SocketAddress> address = ResolveAddress(host, port);
  if (!address.ok()) return UCS_ERR_INVALID_ADDR;
  ucp_listener_params_t params{};
  params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
  params.sockaddr = {address->get(), address->length};
  params.conn_handler = {&OnConnection, this};
  const ucs_status_t status =
      ucp_listener_create(lanes_.front().worker->handle(), &params, &listener_);
  if (status != UCS_OK) return status;
  ucp_listener_attr_t attributes{};
  attributes.field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR;
  const ucs_status_t queried = ucp_listener_query(listener_, &attributes);
  SocketAddress bound;
  bound.storage = attributes.sockaddr;
  port_ = bound.port();
  return queried;
}

UcxTransport::~UcxTransport() {
  // The listener ends last: to accept what it offered to another worker takes memory of its own.
  for (auto lane = lanes_.rbegin(); lane != lanes_.rend(); ++lane) {
    lane->worker->Stop([this, &lane = *lane] {
      if (&lane == &lanes_.front() && listener_ != nullptr) ucp_listener_destroy(listener_);
      lane.requester->CloseAll();
      lane.service->CloseAll();
    });
  }
}

void UcxTransport::OnConnection(ucp_conn_request_h request, void* self) {
  auto* transport = static_cast<UcxTransport*>(self);
  Lane& lane = transport->lanes_[transport->next_accept_++ % transport->lanes_.size()];
  const bool taken =
      lane.worker->Post([service = lane.service.get(), request] { service->Accept(request); });
  if (!taken) ucp_listener_reject(transport->listener_, request);
}

bool UcxTransport::HasGone(const std::string& endpoint, TimePoint deadline) {
  if (!tcp_) return false;  // other networks have ports that a socket does not see
  const absl::StatusOr<SocketAddress> address = ResolveEndpoint(endpoint);
  return address.ok() && RefusesConnections(*address, deadline);
}

void UcxTransport::Abandon(const std::string& endpoint) {
  for (Lane& lane : lanes_) {
    lane.worker->Post(
        [requester = lane.requester.get(), endpoint] { requester->Abandon(endpoint); });
  }
}

void UcxTransport::SubmitTo(size_t lane, const std::string& endpoint, const SocketAddress& address,
                            std::vector<OutgoingRequest> requests) {
  lanes_[lane].worker->Post([requester = lanes_[lane].requester.get(), endpoint, address,
                             requests = std::move(requests)]() mutable {
    requester->Submit(endpoint, address, std::move(requests));
  });
}

}  // namespace tandem::transfer

#include "transfer/ucx_transport.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/status.h"
#include "transfer/message.h"
#include "transfer/network_interface.h"
#include "transfer/socket_address.h"

namespace tandem::transfer {
namespace {

constexpr Duration kLinkTimeout = std::chrono::seconds(3);

/// Calls `make` with position and length of each message that an operation is cut into.
template <typename Make>
void Cut(uint64_t length, Make make) {
  for (uint64_t position = 0; position < length; position += kMaxMessageBytes) {
    make(position, std::min(kMaxMessageBytes, length - position));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(const TransportOptions& options,
                                                             ExtentHost& host) {
  return UcxTransport::Create(options, host);
}

absl::StatusOr<std::unique_ptr<Transport>> UcxTransport::Create(const TransportOptions& options,
                                                                ExtentHost& host) {
  std::unique_ptr<UcxTransport> transport(new UcxTransport);
  RETURN_IF_ERROR(transport->Open(options, host));
  return transport;
}

absl::Status UcxTransport::Open(const TransportOptions& options, ExtentHost& host) {
  const absl::StatusOr<SocketAddress> address = ResolveAddress(options.hostname, 0);
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("local_hostname: {}", std::string(address.status().message())));
  }
  std::string interface = InterfaceOf(*address);
  // Who only asks may reach owners by another way than the loopback that it is known by.
  if (!options.listen && interface == "lo") interface.clear();
  if (!interface.empty() && !WaitUntilRunning(interface, Clock::Real().Now() + kLinkTimeout)) {
    return absl::UnavailableError(fmt::format(
        "local_hostname {} is on the interface {}, which is down", options.hostname, interface));
  }
  ASSIGN_OR_RETURN(context_, OpenUcx(options.protocol, options.device_name, interface));
  for (int i = 0; i < std::max(1, options.connections); ++i) {
    Lane lane;
    ASSIGN_OR_RETURN(lane.worker, UcxWorker::Create(context_.get()));
    lane.requester = std::make_unique<UcxRequester>(*lane.worker);
    lane.service = std::make_unique<UcxService>(*lane.worker, host);
    lanes_.push_back(std::move(lane));
  }
  if (options.listen) RETURN_IF_ERROR(Listen(options.hostname));
  for (Lane& lane : lanes_) lane.worker->Start();
  return absl::OkStatus();
}

absl::Status UcxTransport::Listen(const std::string& hostname) {
  ucs_status_t status = ListenOn(hostname);
  if (status != UCS_OK) {
    // A name may reach this host without being the address of one of its interfaces.
    status = ListenOn("0.0.0.0");
  }
  endpoint_ = FormatEndpoint(hostname, port_);
  return ToStatus(status, fmt::format("cannot listen for data on local_hostname {}", hostname));
}

ucs_status_t UcxTransport::ListenOn(const std::string& host) {
  const absl::StatusOr<SocketAddress> address = ResolveAddress(host, 0);
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
  for (Lane& lane : lanes_) {
    lane.worker->Post([this, &lane] {
      if (&lane == &lanes_.front() && listener_ != nullptr) ucp_listener_destroy(listener_);
      lane.requester->CloseAll();
      lane.service->CloseAll();
    });
    lane.worker->Stop();
  }
}

void UcxTransport::OnConnection(ucp_conn_request_h request, void* self) {
  auto* transport = static_cast<UcxTransport*>(self);
  Lane& lane = transport->lanes_[transport->next_accept_++ % transport->lanes_.size()];
  lane.worker->Post([service = lane.service.get(), request] { service->Accept(request); });
}

std::shared_ptr<Transfer> UcxTransport::Read(const std::string& endpoint,
                                             std::vector<ReadOperation> operations) {
  std::vector<OutgoingRequest> requests;
  for (const ReadOperation& read : operations) {
    Cut(read.destination.bytes.size(), [&](uint64_t position, uint64_t length) {
      OutgoingRequest request;
      request.header = {RequestKind::kRead, 0, read.extent, position, length};
      request.destination = {read.destination.bytes.subspan(position, length),
                             read.destination.hold};
      requests.push_back(std::move(request));
    });
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> UcxTransport::Write(const std::string& endpoint,
                                              std::vector<WriteOperation> operations) {
  std::vector<OutgoingRequest> requests;
  for (const WriteOperation& write : operations) {
    Cut(write.source.bytes.size(), [&](uint64_t position, uint64_t length) {
      OutgoingRequest request;
      request.header = {RequestKind::kWrite, 0, write.extent, position, length};
      request.source = {write.source.bytes.subspan(position, length), write.source.hold};
      requests.push_back(std::move(request));
    });
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> UcxTransport::Publish(const std::string& endpoint,
                                                std::vector<HeldObject> objects) {
  std::vector<OutgoingRequest> requests;
  for (const HeldObject& object : objects) {
    auto body = std::make_shared<const std::string>(PackObject(object));
    OutgoingRequest request;
    request.header = {RequestKind::kPublish, 0, object.extent, 0, 0};
    request.source = {std::as_bytes(std::span(body->data(), body->size())), body};
    requests.push_back(std::move(request));
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> UcxTransport::Forget(const std::string& endpoint,
                                               std::vector<Extent> extents) {
  std::vector<OutgoingRequest> requests(extents.size());
  for (size_t i = 0; i < extents.size(); ++i) {
    requests[i].header = {RequestKind::kForget, 0, extents[i], 0, 0};
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> UcxTransport::Submit(const std::string& endpoint,
                                               std::vector<OutgoingRequest> requests) {
  auto transfer = std::make_shared<Transfer>(static_cast<int>(requests.size()));
  const absl::StatusOr<SocketAddress> address = ResolveEndpoint(endpoint);
  if (!address.ok()) {
    for (size_t i = 0; i < requests.size(); ++i) transfer->EndPart(address.status());
    return transfer;
  }
  // Consecutive messages go to different workers; small transfers start at different ones.
  std::vector<std::vector<OutgoingRequest>> shares(lanes_.size());
  const size_t first = next_lane_.fetch_add(1, std::memory_order_relaxed);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].transfer = transfer;
    shares[(first + i) % lanes_.size()].push_back(std::move(requests[i]));
  }
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (shares[i].empty()) continue;
    lanes_[i].worker->Post([requester = lanes_[i].requester.get(), endpoint, address = *address,
                            share = std::move(shares[i])]() mutable {
      requester->Submit(endpoint, address, std::move(share));
    });
  }
  return transfer;
}

}  // namespace tandem::transfer

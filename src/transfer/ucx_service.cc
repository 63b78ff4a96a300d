#include "transfer/ucx_service.h"

#include <spdlog/spdlog.h>

#include <cstring>
#include <utility>
#include <vector>

#include "transfer/peer_requests.h"
#include "transfer/put_message.h"
#include "transfer/ucx_messages.h"

namespace tandem::transfer {

UcxService::UcxService(UcxWorker& worker, ExtentHost& host)
    : worker_(worker), host_(host), mailbox_(std::make_shared<Mailbox>([this](Mailbox::Task task) {
        worker_.Post(std::move(task));
      })) {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS |
                      UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = kRequestMessage;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = &OnRequest;
  params.arg = this;
  ucp_worker_set_am_recv_handler(worker_.handle(), &params);
}

void UcxService::Accept(ucp_conn_request_h request) {
  auto connection = std::make_shared<Connection>(Connection{this});
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST | UCP_EP_PARAM_FIELD_ERR_HANDLER |
                      UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
  params.conn_request = request;
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler = {&OnError, connection.get()};
  const ucs_status_t status = ucp_ep_create(worker_.handle(), &params, &connection->endpoint);
  if (status != UCS_OK) {
    spdlog::warn("{}", ToStatus(status, "cannot accept a peer's connection").ToString());
    return;
  }
  connections_[connection->endpoint] = std::move(connection);
}

void UcxService::CloseAll() {
  mailbox_->Close();
  while (!connections_.empty()) Drop(connections_.begin()->first);
}

void UcxService::OnError(void* connection, ucp_ep_h endpoint, ucs_status_t) {
  // Endpoints must not be closed inside their own callbacks.
  UcxService* service = static_cast<Connection*>(connection)->service;
  service->worker_.Post([service, endpoint] { service->Drop(endpoint); });
}

void UcxService::Drop(ucp_ep_h endpoint) {
  const auto node = connections_.extract(endpoint);
  if (node.empty()) return;
  node.mapped()->endpoint = nullptr;
  worker_.Close(endpoint);
}

ucs_status_t UcxService::OnRequest(void* self, const void* header, size_t header_length, void* data,
                                   size_t length, const ucp_am_recv_param_t* params) {
  auto* service = static_cast<UcxService*>(self);
  const auto found = service->connections_.find(params->reply_ep);
  if (found == service->connections_.end()) return UCS_OK;
  const auto request = UnpackRequest(BytesOf(header, header_length));
  if (!request.ok()) {
    spdlog::warn("closed the connection of a peer that sent {}", request.status().ToString());
    OnError(found->second.get(), params->reply_ep, UCS_ERR_INVALID_PARAM);
    return UCS_OK;
  }
  return service->Serve(found->second, *request, data, length,
                        (params->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0);
}

ucs_status_t UcxService::Serve(const ConnectionPointer& connection, const RequestHeader& request,
                               void* data, size_t length, bool rendezvous) {
  switch (request.kind) {
    case RequestKind::kRead:
      Answer(connection, request.id, OpenForRead(host_, request));
      return UCS_OK;
    case RequestKind::kReadFromDisk:
      ReadDisk(connection, request);
      return UCS_OK;
    case RequestKind::kWrite:
      return Write(connection, request, data, length, rendezvous);
    case RequestKind::kPublish:
      Reply(connection, request.id,
            rendezvous ? absl::InvalidArgumentError("the object's key is too long")
                       : Perform(host_, request, BytesOf(data, length)));
      return UCS_OK;
    case RequestKind::kPut:
      return Put(connection, request, data, length, rendezvous);
    case RequestKind::kForget:
      Reply(connection, request.id, Perform(host_, request, {}));
      return UCS_OK;
  }
  return UCS_OK;
}

void UcxService::ReadDisk(const ConnectionPointer& connection, const RequestHeader& request) {
  ReadFromDisk(host_, request,
               [this, mailbox = mailbox_, connection = std::weak_ptr<Connection>(connection),
                id = request.id](const absl::StatusOr<ReadableBytes>& read) {
                 mailbox->Post([this, connection, id, read] {
                   const ConnectionPointer asker = connection.lock();
                   if (asker == nullptr) return;
                   Answer(asker, id, read);
                 });
               });
}

ucs_status_t UcxService::Write(const ConnectionPointer& connection, const RequestHeader& request,
                               void* data, size_t length, bool rendezvous) {
  absl::StatusOr<WritableBytes> opened =
      length == request.length ? OpenForWrite(host_, request)
                               : absl::InvalidArgumentError("a write of another length than said");
  if (!opened.ok()) {
    Reply(connection, request.id, opened.status());
    return UCS_OK;
  }
  if (!rendezvous) {
    if (length > 0) std::memcpy(opened->bytes.data(), data, length);
    host_.Arrived(request.extent, request.position, length);
    Reply(connection, request.id, absl::OkStatus());
    return UCS_OK;
  }
  worker_.Receive(data, opened->bytes,
                  [this, connection, request, hold = opened->hold](ucs_status_t status) {
                    if (status == UCS_OK) {
                      host_.Arrived(request.extent, request.position, request.length);
                    }
                    Reply(connection, request.id, ToStatus(status, "the data did not arrive"));
                  });
  return UCS_INPROGRESS;
}

ucs_status_t UcxService::Put(const ConnectionPointer& connection, const RequestHeader& request,
                             void* data, size_t length, bool rendezvous) {
  if (length > kMaxPutMessageBytes) {
    Reply(connection, request.id, absl::InvalidArgumentError("a put of too many bytes"));
    return UCS_OK;
  }
  if (!rendezvous) {
    Answer(connection, request.id, transfer::Put(host_, BytesOf(data, length)));
    return UCS_OK;
  }
  auto body = std::make_shared<std::vector<std::byte>>(length);
  worker_.Receive(data, *body, [this, connection, request, body](ucs_status_t status) {
    if (status != UCS_OK) {
      return Reply(connection, request.id, ToStatus(status, "the data did not arrive"));
    }
    Answer(connection, request.id, transfer::Put(host_, *body));
  });
  return UCS_INPROGRESS;
}

void UcxService::Answer(const ConnectionPointer& connection, uint64_t id,
                        absl::StatusOr<ReadableBytes> bytes) {
  if (!bytes.ok()) return Reply(connection, id, bytes.status());
  Reply(connection, id, absl::StatusCode::kOk, *std::move(bytes));
}

void UcxService::Reply(const ConnectionPointer& connection, uint64_t id,
                       const absl::Status& status) {
  auto text = std::make_shared<const std::string>(status.message());
  const std::span<const std::byte> bytes = BytesOf(*text);
  Reply(connection, id, status.code(), ReadableBytes{bytes, std::move(text)});
}

void UcxService::Reply(const ConnectionPointer& connection, uint64_t id, absl::StatusCode code,
                       ReadableBytes data) {
  if (connection->endpoint == nullptr) return;
  auto header = std::make_shared<const std::string>(Pack(ReplyHeader{id, code}));
  worker_.Send(connection->endpoint, kReplyMessage, BytesOf(*header), data.bytes, 0,
               [header, hold = data.hold](ucs_status_t) {});
}

}  // namespace tandem::transfer

#include "transfer/outgoing_request.h"

#include <algorithm>
#include <utility>

namespace tandem::transfer {
namespace {

/// Calls `make` with position and length of each message that an operation is cut into.
template <typename Make>
void Cut(uint64_t length, Make make) {
  for (uint64_t position = 0; position < length; position += kMaxMessageBytes) {
    make(position, std::min(kMaxMessageBytes, length - position));
  }
}

}  // namespace

uint64_t OutgoingRequest::body_bytes() const {
  uint64_t size = source.bytes.size();
  for (const ReadableBytes& part : more) size += part.bytes.size();
  return size;
}

void OutgoingRequest::Gather() {
  if (more.empty()) return;
  auto whole = std::make_shared<std::vector<std::byte>>(source.bytes.begin(), source.bytes.end());
  for (const ReadableBytes& part : std::exchange(more, {})) {
    whole->insert(whole->end(), part.bytes.begin(), part.bytes.end());
  }
  source = {*whole, whole};
}

void OutgoingRequest::End(const absl::Status& status) {
  if (std::exchange(ended, true)) return;
  if (sent) {
    // Who waits for the transfer wants them back next.
    source = {};
    more.clear();
  }
  if (status.ok()) destination = {};
  transfer->EndPart(status);
}

std::shared_ptr<Transfer> RequestTransport::Read(const std::string& endpoint,
                                                 std::vector<ReadOperation> operations) {
  std::vector<OutgoingRequest> requests;
  for (const ReadOperation& read : operations) {
    Cut(read.destination.bytes.size(), [&](uint64_t position, uint64_t length) {
      OutgoingRequest& request = requests.emplace_back();
      const RequestKind kind = read.on_disk ? RequestKind::kReadFromDisk : RequestKind::kRead;
      request.header = {kind, 0, read.extent, position, length, read.grant};
      request.destination = {read.destination.bytes.subspan(position, length),
                             read.destination.hold};
    });
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> RequestTransport::Write(const std::string& endpoint,
                                                  std::vector<WriteOperation> operations,
                                                  Spread spread) {
  std::vector<OutgoingRequest> requests;
  for (const WriteOperation& write : operations) {
    Cut(write.source.bytes.size(), [&](uint64_t position, uint64_t length) {
      OutgoingRequest& request = requests.emplace_back();
      request.header = {RequestKind::kWrite, 0, write.extent, position, length, write.grant};
      request.source = {write.source.bytes.subspan(position, length), write.source.hold};
      request.checksum = write.checksum;
    });
  }
  return Submit(endpoint, std::move(requests), spread);
}

std::vector<PutTransfer> RequestTransport::Put(const std::string& endpoint,
                                               const std::vector<PutOperation>& operations) {
  std::vector<PutTransfer> transfers;
  std::vector<OutgoingRequest> requests;
  for (size_t next = 0; next < operations.size();) {
    auto message = std::make_shared<PutMessage>();
    while (next < operations.size() && message->Add(operations[next])) ++next;
    auto answers = std::make_shared<std::vector<std::byte>>(message->objects());
    OutgoingRequest& request = requests.emplace_back();
    const uint64_t length = message->size();
    request.header = {RequestKind::kPut, 0, {0, length, 0}, 0, length, {}};
    request.source = {message->description(), message};
    request.more = message->bytes();
    request.destination = {*answers, answers};
    request.transfer = std::make_shared<Transfer>(1);
    for (size_t place = 0; place < message->objects(); ++place) {
      transfers.emplace_back(request.transfer, answers, place);
    }
  }
  ShareOut(endpoint, std::move(requests), Spread::kOne);
  return transfers;
}

std::shared_ptr<Transfer> RequestTransport::Publish(const std::string& endpoint,
                                                    std::vector<PublishOperation> operations) {
  std::vector<OutgoingRequest> requests;
  for (const auto& [object, grant] : operations) {
    auto body = std::make_shared<const std::string>(PackObject(object));
    OutgoingRequest& request = requests.emplace_back();
    request.header = {RequestKind::kPublish, 0, object.extent, 0, 0, grant};
    request.source = {std::as_bytes(std::span(body->data(), body->size())), body};
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> RequestTransport::Forget(const std::string& endpoint,
                                                   std::vector<ForgetOperation> operations) {
  std::vector<OutgoingRequest> requests(operations.size());
  for (size_t i = 0; i < operations.size(); ++i) {
    requests[i].header = {RequestKind::kForget, 0, operations[i].extent, 0, 0, operations[i].grant};
  }
  return Submit(endpoint, std::move(requests));
}

std::shared_ptr<Transfer> RequestTransport::Submit(const std::string& endpoint,
                                                   std::vector<OutgoingRequest> requests,
                                                   Spread spread) {
  auto transfer = std::make_shared<Transfer>(static_cast<int>(requests.size()));
  for (OutgoingRequest& request : requests) request.transfer = transfer;
  ShareOut(endpoint, std::move(requests), spread);
  return transfer;
}

void RequestTransport::ShareOut(const std::string& endpoint, std::vector<OutgoingRequest> requests,
                                Spread spread) {
  const absl::StatusOr<SocketAddress> address = ResolveEndpoint(endpoint);
  if (!address.ok()) {
    for (const OutgoingRequest& request : requests) request.transfer->EndPart(address.status());
    return;
  }
  // Consecutive messages go to different lanes; small transfers start at different ones.
  std::vector<std::vector<OutgoingRequest>> shares(lanes());
  const size_t first = next_lane_.fetch_add(1, std::memory_order_relaxed);
  for (size_t i = 0; i < requests.size(); ++i) {
    const size_t lane = spread == Spread::kOne ? first : first + i;
    shares[lane % shares.size()].push_back(std::move(requests[i]));
  }
  for (size_t lane = 0; lane < shares.size(); ++lane) {
    if (!shares[lane].empty()) SubmitTo(lane, endpoint, *address, std::move(shares[lane]));
  }
}

}  // namespace tandem::transfer

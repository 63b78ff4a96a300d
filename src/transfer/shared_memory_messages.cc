#include "transfer/shared_memory_messages.h"

#include <cstring>

namespace tandem::transfer {

absl::StatusOr<PinRequest> UnpackPinRequest(std::span<const std::byte> packet) {
  PinRequest request;
  if (packet.size() < offsetof(PinRequest, items) || packet.size() > sizeof(request)) {
    return absl::InvalidArgumentError("a packet of another size than pins have");
  }
  std::memcpy(&request, packet.data(), packet.size());
  if (request.kind != PinRequest::kPin && request.kind != PinRequest::kUnpin) {
    return absl::InvalidArgumentError("a packet of another kind than pins are");
  }
  if (request.count == 0 || request.count > kMaxPinsPerPacket ||
      packet.size() != request.packet_size()) {
    return absl::InvalidArgumentError("a packet of more or fewer pins than it says");
  }
  return request;
}

}  // namespace tandem::transfer

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "transfer/extent.h"

namespace tandem::transfer {

/// What goes over the socket between a segment's owner and a reader on the same host, each as one
/// packet. Both ends run on one machine, so values stand as they do in memory.
inline constexpr uint64_t kSharedMemoryMagic = 0x7461'6e64'656d'0001;  // "tandem", version 1
inline constexpr size_t kMaxPinsPerPacket = 128;
/// Of one reader at the same time: what is pinned takes memory of the owner, which tells the master
/// of it again and again.
inline constexpr size_t kMaxPinsPerConnection = 1 << 18;

/// From the owner at first, together with the descriptor of its memory.
struct SharedMemoryHello {
  uint64_t magic = kSharedMemoryMagic;
  uint64_t size = 0;
};

/// From the reader: `count` items follow in `items`. An unpin needs only the ids. A writer sends
/// two other kinds: kStage, alone but with the descriptor of its staging memory, and kWrite, whose
/// layout stands in write_packet.h.
struct PinRequest {
  enum Kind : uint32_t { kPin = 1, kUnpin = 2, kStage = 3, kWrite = 4 };
  struct Item {
    uint64_t id = 0;  ///< Chosen by the reader, unique on the connection.
    Extent extent;
  };

  uint32_t kind = kPin;
  uint32_t count = 0;
  Item items[kMaxPinsPerPacket];

  size_t packet_size() const { return offsetof(PinRequest, items) + count * sizeof(Item); }
};

/// Takes a packet of kPin or kUnpin apart. InvalidArgument for what is none, or has not as many
/// items as it says.
absl::StatusOr<PinRequest> UnpackPinRequest(std::span<const std::byte> packet);

/// From the owner, to a pin request: which of its items are pinned, in their order.
struct PinReply {
  enum Answer : uint8_t { kNotThere = 0, kPinned = 1, kNotNow = 2, kTooMany = 3 };
  uint64_t first_id = 0;  ///< Id of the request's first item.
  uint32_t count = 0;
  uint8_t answers[kMaxPinsPerPacket] = {};
};

}  // namespace tandem::transfer

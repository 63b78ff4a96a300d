#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/inlined_vector.h"
#include "base/clock.h"
#include "store/master/leases.h"

namespace tandem::store {

struct MountedSegment;
class ObjectList;

/// One copy of an object: `size` bytes of a segment, or what its owner wrote of them to disk, under
/// the same generation.
struct Replica {
  static constexpr uint64_t kOnDisk = ~uint64_t{0};  ///< In place of an offset.
  bool on_disk() const { return offset == kOnDisk; }

  MountedSegment* segment;
  uint64_t offset;
  uint64_t generation;
};

/// Nearly all objects have one.
using Replicas = absl::InlinedVector<Replica, 1>;

/// One of maybe millions: kept small, and what a lookup reads close together.
struct Object {
  enum class State : uint8_t {
    kProcessing,  ///< Its writer fills it.
    kComplete,
    kDiscarded,  ///< Its writer took too long and another took the key over; it may still write.
  };

  /// On its way to the disk of one of its owners.
  enum class Offload : uint8_t {
    kNone,
    kQueued,
    kHandedOut,  ///< Its owner reads the memory, which nobody else may be given meanwhile.
  };

  bool in_memory() const {
    return std::any_of(replicas.begin(), replicas.end(),
                       [](const Replica& replica) { return !replica.on_disk(); });
  }
  bool on_disk() const {
    return std::any_of(replicas.begin(), replicas.end(),
                       [](const Replica& replica) { return replica.on_disk(); });
  }

  std::string key;
  uint64_t size = 0;
  uint64_t checksum = 0;
  bool soft_pin = false;
  bool hard_pin = false;
  State state = State::kProcessing;
  Offload offload = Offload::kNone;
  bool may_be_on_disk = false;  ///< It was handed out to be stored, or is.
  Replicas replicas;

  Lease lease;
  TimePoint last_used;
  /// The list it stands in, of EvictionOrder or of ObjectIndex's puts, if any, and its neighbours.
  ObjectList* list = nullptr;
  Object* previous = nullptr;
  Object* next = nullptr;

  struct Put {
    std::string writer;  ///< Id of the client that puts it.
    TimePoint started;
  };
  std::unique_ptr<Put> put;  ///< Until it is complete.
};

}  // namespace tandem::store

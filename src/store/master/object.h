#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/master/leases.h"

namespace tandem::store {

struct MountedSegment;
struct Object;
using ObjectList = std::list<Object*>;

/// One copy of an object: `size` bytes of a segment.
struct Replica {
  MountedSegment* segment;
  uint64_t offset;
  uint64_t generation;
};

struct Object {
  enum class State {
    kProcessing,  ///< Its writer fills it.
    kComplete,
    kDiscarded,  ///< Its writer took too long and another took the key over; it may still write.
  };

  std::string key;
  uint64_t size = 0;
  uint64_t checksum = 0;
  bool soft_pin = false;
  bool hard_pin = false;
  State state = State::kProcessing;
  std::string writer;  ///< Id of the client that puts it.
  TimePoint started;   ///< Of the put.
  std::vector<Replica> replicas;

  Lease lease;
  TimePoint last_used;
  ObjectList* recency = nullptr;    ///< The list of EvictionOrder it stands in, if any.
  ObjectList::iterator position{};  ///< In `recency`, or in ObjectIndex's list of puts.
};

}  // namespace tandem::store

#pragma once

#include <google/protobuf/arena.h>

#include <array>
#include <cstddef>

namespace tandem::store {

/// Memory for one message of a call and all its parts, which end together: a batch's keys and
/// items cost no allocation each. The first kilobytes lie in the object itself, so make it on the
/// stack.
class RequestArena {
 public:
  RequestArena() : arena_(Options(block_)) {}

  /// A message that lives as long as the arena.
  template <typename Message>
  Message& Make() {
    return *google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }

 private:
  using Block = std::array<char, 16 << 10>;
  static google::protobuf::ArenaOptions Options(Block& block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block.data();
    options.initial_block_size = block.size();
    return options;
  }

  alignas(std::max_align_t) Block block_;  // left as it is found: clearing it would cost as much
  google::protobuf::Arena arena_;
};

}  // namespace tandem::store

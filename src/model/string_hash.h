#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/hash.h"

namespace tandem::model {

/// Hashes std::string and std::string_view alike. Debian's Abseil has a string_view type of its own
/// and hashes no other.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return Checksum64(std::as_bytes(std::span(text)));
  }
};

template <typename Key, typename Value>
using StringMap = absl::flat_hash_map<Key, Value, StringHash, std::equal_to<>>;

using StringViewSet = absl::flat_hash_set<std::string_view, StringHash, std::equal_to<>>;

}  // namespace tandem::model

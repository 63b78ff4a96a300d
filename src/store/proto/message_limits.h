#pragma once

#include <cstddef>

namespace tandem::store {

/// The longest message between a client and the master, in bytes.
inline constexpr int kMaxMessageBytes = 64 << 20;

/// The longest key, in bytes.
inline constexpr size_t kMaxKeyBytes = 1 << 10;

}  // namespace tandem::store

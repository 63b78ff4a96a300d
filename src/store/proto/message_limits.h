#pragma once

namespace tandem::store {

/// The longest message between a client and the master, in bytes.
inline constexpr int kMaxMessageBytes = 64 << 20;

}  // namespace tandem::store

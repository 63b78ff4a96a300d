#pragma once

#include "base/clock.h"

namespace tandem {

/// Whether accept failed with this errno for want of descriptors or memory. The connection stays in
/// the queue then, so that trying again at once would only spin until others give some back: wait
/// for kAcceptAgainAfter.
bool LeavesConnectionQueued(int error);

inline constexpr Duration kAcceptAgainAfter = std::chrono::milliseconds(10);

}  // namespace tandem

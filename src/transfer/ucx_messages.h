#pragma once

namespace tandem::transfer {

/// Ids of the active messages.
inline constexpr unsigned kRequestMessage = 1;
inline constexpr unsigned kReplyMessage = 2;

}  // namespace tandem::transfer

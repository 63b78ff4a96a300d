#pragma once

#include <cstddef>
#include <span>

#include "base/hash.h"

namespace tandem {

/// Copies `from` to the start of `to`, which is at least as long and does not overlap it, and feeds
/// the bytes to `checksum` on the way: memory is read once. Long copies go past the caches, so that
/// they neither read what they overwrite nor displace what others use. `from` must not change
/// meanwhile, or the checksum is not that of the copy.
void CopyWithChecksum(std::span<std::byte> to, std::span<const std::byte> from,
                      StreamingChecksum& checksum);

/// Few threads that copy at the same time reach what memory gives: one for each core up to
/// kMostCopyThreads.
inline constexpr int kMostCopyThreads = 4;
int CopyThreadCount();

}  // namespace tandem

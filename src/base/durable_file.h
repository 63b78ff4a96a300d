#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tandem {

// Parts of writing files that outlive a crash of the machine. All are false if they fail, and errno
// says why.

/// Writes all of `bytes`, however little one write takes.
bool WriteAll(int fd, std::span<const std::byte> bytes);

/// Has the names in a directory reach the disk, as files do with their own fsync.
bool SyncDirectory(const std::string& path);

}  // namespace tandem

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/mutex.h"

namespace tandem {

enum class Access : uint64_t { kRead = 1, kWrite = 2, kReadFromDisk = 3 };

/// What a grant is for: bytes of one segment in one of their uses, or the copy of them on the
/// owner's disk, whose offset is 0.
struct GrantedExtent {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t generation = 0;
  Access access = Access::kRead;
};

/// Shows the owner of a segment that the master has granted an extent to whoever has this: when it
/// ends, and a message authentication code (HMAC-SHA256, its first 16 bytes). Opaque to clients;
/// all zeros is none.
using ExtentGrant = std::array<uint8_t, 24>;

/// The secret between a segment's owner, who makes it and checks grants, and the master, who signs
/// them. Safe for use by several threads.
class ExtentGrantKey {
 public:
  static constexpr size_t kBytes = 32;

  static ExtentGrantKey Random();
  /// InvalidArgument unless it has kBytes.
  static absl::StatusOr<ExtentGrantKey> FromBytes(std::string_view bytes);

  const std::string& bytes() const { return bytes_; }

  /// Times are milliseconds since 1970 by the owner's clock.
  ExtentGrant Sign(const GrantedExtent& extent, uint64_t expires) const;
  /// PermissionDenied, saying why, for a grant of something else, by another key, or that has
  /// expired.
  absl::Status Check(const GrantedExtent& extent, const ExtentGrant& grant, uint64_t now) const;

 private:
  struct Hmac;
  explicit ExtentGrantKey(std::string bytes);
  std::array<uint8_t, 16> Code(const GrantedExtent& extent, uint64_t expires) const;

  std::string bytes_;
  std::shared_ptr<Hmac> hmac_;
};

/// The system's time in the unit of grants.
uint64_t GrantClockNow();

/// A grant as a message carries it; one of another length, such as none, becomes all zeros.
std::string PackGrant(const ExtentGrant& grant);
ExtentGrant UnpackGrant(std::string_view bytes);

}  // namespace tandem

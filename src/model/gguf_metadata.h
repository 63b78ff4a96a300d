#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/byte_cursor.h"
#include "model/string_hash.h"

namespace tandem::model {

/// Types of GGUF metadata values, numbered as in the file.
enum class GgufType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

/// One value as it stands in the file, its length checked.
struct GgufValue {
  GgufType type;
  GgufType element_type = GgufType::kUint8;  ///< Of an array.
  uint64_t count = 0;                        ///< Of an array's elements.
  std::span<const std::byte> bytes;  ///< The scalar, a string's characters or an array's elements.
};

/// The key-value pairs of a GGUF file. Strings are views into the file's bytes. The getters give
/// NotFound for a missing key and InvalidArgument, with what is accepted, for another type.
class GgufMetadata {
 public:
  /// Reads `count` pairs. Errors name the key and the offset.
  static absl::StatusOr<GgufMetadata> Read(ByteCursor& cursor, uint64_t count);

  bool Has(std::string_view key) const { return values_.contains(key); }
  absl::StatusOr<int64_t> Integer(std::string_view key) const;
  absl::StatusOr<double> Number(std::string_view key) const;
  absl::StatusOr<bool> Bool(std::string_view key) const;
  absl::StatusOr<std::string_view> String(std::string_view key) const;
  absl::StatusOr<std::vector<std::string_view>> Strings(std::string_view key) const;
  absl::StatusOr<std::vector<int64_t>> Integers(std::string_view key) const;
  absl::StatusOr<std::vector<double>> Numbers(std::string_view key) const;

 private:
  absl::StatusOr<GgufValue> Find(std::string_view key) const;

  StringMap<std::string_view, GgufValue> values_;
};

}  // namespace tandem::model

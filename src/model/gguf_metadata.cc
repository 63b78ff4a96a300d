#include "model/gguf_metadata.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <string>

#include "base/status.h"

namespace tandem::model {
namespace {

constexpr int kMaxArrayDepth = 4;
constexpr size_t kLeastStringBytes = 8;
constexpr size_t kLeastArrayBytes = 12;

constexpr std::array<std::string_view, 13> kTypeNames = {
    "uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
    "bool",  "string", "array",  "uint64", "int64",  "float64"};

/// Bytes of a scalar, or the least bytes of a string or an array.
size_t LeastBytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
      return kLeastStringBytes;
    case GgufType::kArray:
      return kLeastArrayBytes;
  }
  return 0;
}

std::string_view TypeName(GgufType type) { return kTypeNames[static_cast<size_t>(type)]; }

absl::StatusOr<GgufType> ReadType(ByteCursor& cursor, std::string_view field) {
  const size_t offset = cursor.offset();
  ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>(field));
  if (type >= kTypeNames.size()) {
    return ByteCursor::Invalid(
        field, offset,
        fmt::format("type {} is unknown; accepted: 0 (uint8) to 12 (float64)", type));
  }
  return static_cast<GgufType>(type);
}

absl::Status SkipArray(ByteCursor& cursor, std::string_view field, int depth, GgufValue* array);

absl::Status SkipElements(ByteCursor& cursor, std::string_view field, int depth, GgufType type,
                          uint64_t count) {
  if (type == GgufType::kString) {
    for (uint64_t i = 0; i < count; ++i) RETURN_IF_ERROR(cursor.ReadString(field).status());
    return absl::OkStatus();
  }
  if (type == GgufType::kArray) {
    GgufValue element;
    for (uint64_t i = 0; i < count; ++i) {
      RETURN_IF_ERROR(SkipArray(cursor, field, depth + 1, &element));
    }
    return absl::OkStatus();
  }
  return cursor.ReadBytes(count * LeastBytes(type), field).status();
}

absl::Status SkipArray(ByteCursor& cursor, std::string_view field, int depth, GgufValue* array) {
  if (depth > kMaxArrayDepth) {
    return ByteCursor::Invalid(field, cursor.offset(),
                               fmt::format("arrays are nested deeper than {}", kMaxArrayDepth));
  }
  ASSIGN_OR_RETURN(array->element_type, ReadType(cursor, field));
  ASSIGN_OR_RETURN(array->count, cursor.ReadCount(LeastBytes(array->element_type), field));
  return SkipElements(cursor, field, depth, array->element_type, array->count);
}

absl::StatusOr<GgufValue> ReadValue(ByteCursor& cursor, std::string_view field) {
  GgufValue value;
  ASSIGN_OR_RETURN(value.type, ReadType(cursor, field));
  if (value.type == GgufType::kString) {
    ASSIGN_OR_RETURN(const std::string_view text, cursor.ReadString(field));
    value.bytes = std::as_bytes(std::span(text));
  } else if (value.type == GgufType::kArray) {
    ByteCursor start = cursor;
    constexpr size_t kHeaderBytes = sizeof(uint32_t) + sizeof(uint64_t);
    RETURN_IF_ERROR(SkipArray(cursor, field, 1, &value));
    ASSIGN_OR_RETURN(const auto whole, start.ReadBytes(cursor.offset() - start.offset(), field));
    value.bytes = whole.subspan(kHeaderBytes);
  } else {
    ASSIGN_OR_RETURN(value.bytes, cursor.ReadBytes(LeastBytes(value.type), field));
  }
  return value;
}

template <typename T>
T Load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// Nothing for a type that is no integer, or a value beyond int64.
std::optional<int64_t> LoadInteger(GgufType type, std::span<const std::byte> bytes) {
  switch (type) {
    case GgufType::kUint8:
      return Load<uint8_t>(bytes);
    case GgufType::kInt8:
      return Load<int8_t>(bytes);
    case GgufType::kUint16:
      return Load<uint16_t>(bytes);
    case GgufType::kInt16:
      return Load<int16_t>(bytes);
    case GgufType::kUint32:
      return Load<uint32_t>(bytes);
    case GgufType::kInt32:
      return Load<int32_t>(bytes);
    case GgufType::kInt64:
      return Load<int64_t>(bytes);
    case GgufType::kUint64: {
      const uint64_t value = Load<uint64_t>(bytes);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

/// Nothing for a type that is no number.
std::optional<double> LoadNumber(GgufType type, std::span<const std::byte> bytes) {
  if (type == GgufType::kFloat32) return Load<float>(bytes);
  if (type == GgufType::kFloat64) return Load<double>(bytes);
  const std::optional<int64_t> integer = LoadInteger(type, bytes);
  if (!integer) return std::nullopt;
  return static_cast<double>(*integer);
}

absl::Status WrongType(std::string_view key, const GgufValue& value, std::string_view accepted) {
  std::string found(TypeName(value.type));
  if (value.type == GgufType::kArray) found += fmt::format(" of {}", TypeName(value.element_type));
  return absl::InvalidArgumentError(
      fmt::format("metadata key {} has type {}; accepted: {}", key, found, accepted));
}

/// The elements of an array, each as `load` reads it.
template <typename Element>
absl::StatusOr<std::vector<Element>> LoadElements(
    std::string_view key, const GgufValue& value,
    std::optional<Element> (*load)(GgufType, std::span<const std::byte>),
    std::string_view accepted) {
  if (value.type != GgufType::kArray) return WrongType(key, value, accepted);
  std::vector<Element> elements;
  elements.reserve(value.count);
  const size_t size = LeastBytes(value.element_type);
  for (uint64_t i = 0; i < value.count; ++i) {
    const auto element = load(value.element_type, value.bytes.subspan(i * size));
    if (!element) return WrongType(key, value, accepted);
    elements.push_back(*element);
  }
  return elements;
}

}  // namespace

absl::StatusOr<GgufMetadata> GgufMetadata::Read(ByteCursor& cursor, uint64_t count) {
  GgufMetadata metadata;
  for (uint64_t i = 0; i < count; ++i) {
    const size_t offset = cursor.offset();
    ASSIGN_OR_RETURN(const std::string_view key,
                     cursor.ReadString(fmt::format("key of metadata pair {}", i)));
    ASSIGN_OR_RETURN(const GgufValue value, ReadValue(cursor, fmt::format("metadata key {}", key)));
    if (!metadata.values_.emplace(key, value).second) {
      return ByteCursor::Invalid(fmt::format("metadata key {}", key), offset, "stands there twice");
    }
  }
  return metadata;
}

absl::StatusOr<GgufValue> GgufMetadata::Find(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) {
    return absl::NotFoundError(fmt::format("metadata key {} is missing", key));
  }
  return found->second;
}

absl::StatusOr<int64_t> GgufMetadata::Integer(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  const std::optional<int64_t> integer = LoadInteger(value.type, value.bytes);
  if (!integer) return WrongType(key, value, "an integer below 2^63");
  return *integer;
}

absl::StatusOr<double> GgufMetadata::Number(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  const std::optional<double> number = LoadNumber(value.type, value.bytes);
  if (!number) return WrongType(key, value, "a number");
  return *number;
}

absl::StatusOr<bool> GgufMetadata::Bool(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  if (value.type != GgufType::kBool) return WrongType(key, value, "bool");
  return value.bytes[0] != std::byte{0};
}

absl::StatusOr<std::string_view> GgufMetadata::String(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  if (value.type != GgufType::kString) return WrongType(key, value, "string");
  return std::string_view(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}

absl::StatusOr<std::vector<std::string_view>> GgufMetadata::Strings(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  if (value.type != GgufType::kArray || value.element_type != GgufType::kString) {
    return WrongType(key, value, "array of string");
  }
  std::vector<std::string_view> strings;
  strings.reserve(value.count);
  ByteCursor cursor(value.bytes);
  for (uint64_t i = 0; i < value.count; ++i) {
    ASSIGN_OR_RETURN(const std::string_view text, cursor.ReadString(key));
    strings.push_back(text);
  }
  return strings;
}

absl::StatusOr<std::vector<int64_t>> GgufMetadata::Integers(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  return LoadElements(key, value, LoadInteger, "array of integers below 2^63");
}

absl::StatusOr<std::vector<double>> GgufMetadata::Numbers(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue value, Find(key));
  return LoadElements(key, value, LoadNumber, "array of numbers");
}

}  // namespace tandem::model

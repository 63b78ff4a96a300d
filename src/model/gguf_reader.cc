#include "model/gguf_reader.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "base/status.h"
#include "model/byte_cursor.h"
#include "model/string_hash.h"

namespace tandem::model {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF fields are read as they stand");

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint32_t kMaxDimensions = 4;
constexpr int64_t kMaxElements = int64_t{1} << 48;
constexpr size_t kLeastPairBytes = 8 + 4 + 1;
constexpr size_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;

/// A tensor's entry in the file's table.
struct TensorEntry {
  std::string_view name;
  WeightView view;
  uint64_t data_offset = 0;  ///< From the start of the data section.
  size_t entry_offset = 0;   ///< From the start of the file.
};

std::optional<WeightType> WeightTypeOf(uint32_t ggml_type) {
  switch (ggml_type) {
    case 0:
      return WeightType::kF32;
    case 1:
      return WeightType::kF16;
    case 2:
      return WeightType::kQ4_0;
    case 3:
      return WeightType::kQ4_1;
    case 8:
      return WeightType::kQ8_0;
    case 12:
      return WeightType::kQ4_K;
    case 13:
      return WeightType::kQ5_K;
    case 14:
      return WeightType::kQ6_K;
    case 30:
      return WeightType::kBF16;
    default:
      return std::nullopt;
  }
}

std::string TypeLabel(uint32_t ggml_type) {
  static constexpr std::array<std::string_view, 16> kNames = {
      "F32",  "F16",  "Q4_0", "Q4_1", "",     "",     "Q5_0", "Q5_1",
      "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K"};
  if (ggml_type >= kNames.size() || kNames[ggml_type].empty()) return fmt::format("{}", ggml_type);
  return fmt::format("{} ({})", ggml_type, kNames[ggml_type]);
}

absl::Status ReadVersion(ByteCursor& cursor) {
  ASSIGN_OR_RETURN(const auto magic, cursor.ReadBytes(kMagic.size(), "magic"));
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    return ByteCursor::Invalid("magic", 0, "is not \"GGUF\": this is no GGUF file");
  }
  const size_t offset = cursor.offset();
  ASSIGN_OR_RETURN(const uint32_t version, cursor.Read<uint32_t>("version"));
  if (version == 2 || version == 3) return absl::OkStatus();
  const bool big_endian = version != 0 && (version & 0xffff) == 0;
  return ByteCursor::Invalid("version", offset,
                             big_endian
                                 ? std::string("the file is big-endian; accepted: little-endian")
                                 : fmt::format("is {}; accepted: 2 or 3", version));
}

/// Fills rows and columns: the first dimension in the file is the one that runs fastest.
absl::Status ReadShape(ByteCursor& cursor, std::string_view field, WeightView* view) {
  const size_t offset = cursor.offset();
  ASSIGN_OR_RETURN(const uint32_t dimensions, cursor.Read<uint32_t>(field));
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    return ByteCursor::Invalid(
        field, offset,
        fmt::format("has {} dimensions; accepted: 1 to {}", dimensions, kMaxDimensions));
  }
  view->rows = 1;
  int64_t elements = 1;
  for (uint32_t i = 0; i < dimensions; ++i) {
    ASSIGN_OR_RETURN(const uint64_t size, cursor.Read<uint64_t>(field));
    if (size == 0 || size > static_cast<uint64_t>(kMaxElements / elements)) {
      return ByteCursor::Invalid(
          field, offset,
          fmt::format("dimension {} is {}; accepted: at least 1, and 2^48 elements in all", i,
                      size));
    }
    elements *= static_cast<int64_t>(size);
    if (i == 0) {
      view->columns = static_cast<int64_t>(size);
    } else {
      view->rows *= static_cast<int64_t>(size);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorEntry> ReadTensorEntry(ByteCursor& cursor, uint64_t index) {
  TensorEntry entry;
  entry.entry_offset = cursor.offset();
  ASSIGN_OR_RETURN(entry.name, cursor.ReadString(fmt::format("name of tensor {}", index)));
  const std::string field = fmt::format("tensor {}", entry.name);
  RETURN_IF_ERROR(ReadShape(cursor, field, &entry.view));
  const size_t type_offset = cursor.offset();
  ASSIGN_OR_RETURN(const uint32_t ggml_type, cursor.Read<uint32_t>(field));
  const std::optional<WeightType> type = WeightTypeOf(ggml_type);
  if (!type) {
    return ByteCursor::Invalid(
        field, type_offset,
        fmt::format("type {} is not supported; accepted: F32, F16, BF16, Q4_0, Q4_1, Q8_0, "
                    "Q4_K, Q5_K, Q6_K",
                    TypeLabel(ggml_type)));
  }
  entry.view.type = *type;
  if (entry.view.columns % BlockElements(*type) != 0) {
    return ByteCursor::Invalid(
        field, entry.entry_offset,
        fmt::format("has rows of {} elements; type {} accepts multiples of {}", entry.view.columns,
                    TypeLabel(ggml_type), BlockElements(*type)));
  }
  ASSIGN_OR_RETURN(entry.data_offset, cursor.Read<uint64_t>(field));
  return entry;
}

absl::StatusOr<uint64_t> Alignment(const GgufMetadata& metadata) {
  constexpr std::string_view kKey = "general.alignment";
  if (!metadata.Has(kKey)) return kDefaultAlignment;
  ASSIGN_OR_RETURN(const int64_t alignment, metadata.Integer(kKey));
  if (alignment < 1 || static_cast<uint64_t>(alignment) > kMaxAlignment ||
      !std::has_single_bit(static_cast<uint64_t>(alignment))) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} is {}; accepted: a power of two up to {}", kKey, alignment,
                    kMaxAlignment));
  }
  return static_cast<uint64_t>(alignment);
}

/// Points the tensor at its bytes in the data section.
absl::Status Locate(std::span<const std::byte> data, size_t data_start, uint64_t alignment,
                    TensorEntry& entry) {
  const std::string field = fmt::format("tensor {}", entry.name);
  if (entry.data_offset % alignment != 0) {
    return ByteCursor::Invalid(
        field, entry.entry_offset,
        fmt::format("its data offset {} is not a multiple of the alignment {}", entry.data_offset,
                    alignment));
  }
  const uint64_t size =
      static_cast<uint64_t>(entry.view.rows) * RowBytes(entry.view.type, entry.view.columns);
  if (entry.data_offset > data.size() || size > data.size() - entry.data_offset) {
    return ByteCursor::Invalid(
        field, entry.entry_offset,
        fmt::format("its {} bytes at data offset {} run past the end of the file, whose data "
                    "section starts at {} and has {} bytes: is the file truncated?",
                    size, entry.data_offset, data_start, data.size()));
  }
  entry.view.bytes = data.subspan(entry.data_offset, size);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GgufContents> ReadGguf(std::span<const std::byte> bytes) {
  ByteCursor cursor(bytes);
  RETURN_IF_ERROR(ReadVersion(cursor));
  ASSIGN_OR_RETURN(const uint64_t tensors, cursor.ReadCount(kLeastTensorBytes, "tensor count"));
  ASSIGN_OR_RETURN(const uint64_t pairs, cursor.ReadCount(kLeastPairBytes, "metadata count"));

  GgufContents contents;
  ASSIGN_OR_RETURN(contents.metadata, GgufMetadata::Read(cursor, pairs));
  ASSIGN_OR_RETURN(const uint64_t alignment, Alignment(contents.metadata));

  std::vector<TensorEntry> entries;
  StringViewSet names;
  for (uint64_t i = 0; i < tensors; ++i) {
    ASSIGN_OR_RETURN(const TensorEntry entry, ReadTensorEntry(cursor, i));
    if (!names.insert(entry.name).second) {
      return ByteCursor::Invalid(fmt::format("tensor {}", entry.name), entry.entry_offset,
                                 "stands there twice");
    }
    entries.push_back(entry);
  }

  const size_t data_start =
      std::min<uint64_t>((cursor.offset() + alignment - 1) / alignment * alignment, bytes.size());
  contents.tensors.reserve(entries.size());
  for (TensorEntry& entry : entries) {
    RETURN_IF_ERROR(Locate(bytes.subspan(data_start), data_start, alignment, entry));
    contents.tensors.push_back({entry.name, entry.view});
  }
  return contents;
}

}  // namespace tandem::model

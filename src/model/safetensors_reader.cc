#include "model/safetensors_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <boost/json/parse.hpp>
#include <limits>
#include <optional>
#include <utility>

#include "base/status.h"
#include "model/byte_cursor.h"
#include "model/json_reader.h"

namespace tandem::model {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 48;
constexpr size_t kMaxDimensions = 8;

/// Element types whose size is known; those with a weight type can be computed with.
struct ElementType {
  std::string_view name;
  int bits;
  std::optional<WeightType> type;
};

constexpr std::array<ElementType, 16> kElementTypes = {{
    {"F32", 32, WeightType::kF32},
    {"F16", 16, WeightType::kF16},
    {"BF16", 16, WeightType::kBF16},
    {"I32", 32, WeightType::kI32},
    {"F64", 64, std::nullopt},
    {"I64", 64, std::nullopt},
    {"U64", 64, std::nullopt},
    {"U32", 32, std::nullopt},
    {"I16", 16, std::nullopt},
    {"U16", 16, std::nullopt},
    {"I8", 8, std::nullopt},
    {"U8", 8, std::nullopt},
    {"BOOL", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
}};

const ElementType* FindElementType(std::string_view name) {
  for (const ElementType& type : kElementTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

absl::StatusOr<boost::json::value> ParseJson(std::string_view text, std::string_view what) {
  boost::json::error_code error;
  boost::json::value document = boost::json::parse({text.data(), text.size()}, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("{} is no JSON: {}", what, error.message()));
  }
  if (!document.is_object()) {
    return absl::InvalidArgumentError(fmt::format("{} is not a JSON object", what));
  }
  return document;
}

absl::StatusOr<std::vector<int64_t>> ReadShape(const JsonReader& tensor) {
  ASSIGN_OR_RETURN(const JsonReader field, tensor.Member("shape"));
  ASSIGN_OR_RETURN(const boost::json::array* sizes, field.Array());
  if (sizes->size() > kMaxDimensions) {
    return field.Wrong(fmt::format("at most {} dimensions", kMaxDimensions));
  }
  std::vector<int64_t> shape;
  int64_t elements = 1;
  for (size_t i = 0; i < sizes->size(); ++i) {
    // A product stays within 2^48, so the next cannot overflow.
    ASSIGN_OR_RETURN(const int64_t size,
                     field.Element(i).Integer(1, std::max<int64_t>(1, kMaxElements / elements)));
    elements *= size;
    shape.push_back(size);
  }
  return shape;
}

/// The tensor's bytes in the data section.
absl::StatusOr<std::span<const std::byte>> Locate(const JsonReader& tensor, uint64_t size,
                                                  std::span<const std::byte> data) {
  ASSIGN_OR_RETURN(const JsonReader field, tensor.Member("data_offsets"));
  ASSIGN_OR_RETURN(const boost::json::array* offsets, field.Array());
  if (offsets->size() != 2) return field.Wrong("a begin and an end");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  ASSIGN_OR_RETURN(const int64_t begin, field.Element(0).Integer(0, kMost));
  ASSIGN_OR_RETURN(const int64_t end, field.Element(1).Integer(begin, kMost));
  if (static_cast<uint64_t>(end) > data.size()) {
    return absl::InvalidArgumentError(
        fmt::format("{} is [{}, {}], but the data section has {} bytes: is the file truncated?",
                    field.path(), begin, end, data.size()));
  }
  if (static_cast<uint64_t>(end - begin) != size) {
    return absl::InvalidArgumentError(
        fmt::format("{} is [{}, {}]; accepted: {} bytes, as its shape and dtype say", field.path(),
                    begin, end, size));
  }
  return data.subspan(begin, size);
}

absl::StatusOr<SafetensorsTensor> ReadTensor(std::string_view name, const JsonReader& entry,
                                             std::span<const std::byte> data) {
  SafetensorsTensor tensor;
  tensor.name = name;
  ASSIGN_OR_RETURN(const JsonReader dtype, entry.Member("dtype"));
  ASSIGN_OR_RETURN(tensor.dtype, dtype.String());
  const ElementType* type = FindElementType(tensor.dtype);
  if (type == nullptr) return dtype.Wrong("F32, F16, BF16 or I32");
  ASSIGN_OR_RETURN(tensor.shape, ReadShape(entry));
  uint64_t elements = 1;
  for (const int64_t size : tensor.shape) elements *= static_cast<uint64_t>(size);
  ASSIGN_OR_RETURN(tensor.bytes, Locate(entry, elements * type->bits / 8, data));
  return tensor;
}

bool IsFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

absl::StatusOr<WeightView> SafetensorsTensor::View() const {
  const ElementType* element = FindElementType(dtype);
  if (element == nullptr || !element->type) {
    return absl::InvalidArgumentError(
        fmt::format("tensor {} has dtype {}; accepted: F32, F16, BF16, and I32 in GPTQ checkpoints",
                    name, dtype));
  }
  WeightView view{*element->type, 1, 1, bytes};
  if (!shape.empty()) view.columns = shape.back();
  for (size_t i = 0; i + 1 < shape.size(); ++i) view.rows *= shape[i];
  return view;
}

absl::StatusOr<std::vector<SafetensorsTensor>> ReadSafetensors(std::span<const std::byte> bytes) {
  ByteCursor cursor(bytes);
  ASSIGN_OR_RETURN(const uint64_t header_bytes, cursor.ReadCount(1, "header size"));
  ASSIGN_OR_RETURN(const auto header, cursor.ReadBytes(header_bytes, "header"));
  const std::span<const std::byte> data = bytes.subspan(cursor.offset());
  ASSIGN_OR_RETURN(
      const boost::json::value document,
      ParseJson({reinterpret_cast<const char*>(header.data()), header.size()}, "the header"));
  std::vector<SafetensorsTensor> tensors;
  for (const auto& member : document.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (name == "__metadata__") continue;
    const JsonReader entry(&member.value(), fmt::format("tensor {}", name));
    ASSIGN_OR_RETURN(SafetensorsTensor tensor, ReadTensor(name, entry, data));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

absl::StatusOr<std::map<std::string, std::string>> ReadSafetensorsIndex(std::string_view json) {
  ASSIGN_OR_RETURN(const boost::json::value document, ParseJson(json, "the index"));
  const JsonReader root(&document, "");
  ASSIGN_OR_RETURN(const JsonReader map, root.Member("weight_map"));
  ASSIGN_OR_RETURN(const boost::json::object* members, map.Object());
  std::map<std::string, std::string> files;
  for (const auto& member : *members) {
    const std::string_view name(member.key().data(), member.key().size());
    const JsonReader entry(&member.value(), fmt::format("{}.{}", map.path(), name));
    ASSIGN_OR_RETURN(const std::string_view file, entry.String());
    if (!IsFileName(file)) return entry.Wrong("the name of a file beside the index");
    files.emplace(name, file);
  }
  return files;
}

}  // namespace tandem::model

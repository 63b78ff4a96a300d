#include "model/testing/gguf_writer.h"

namespace tandem::model::testing {
namespace {

constexpr size_t kAlignment = 32;
constexpr uint32_t kVersion = 3;

template <typename T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendString(std::string& out, std::string_view text) {
  Append<uint64_t>(out, text.size());
  out.append(text);
}

void Align(std::string& out) {
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
}

uint32_t GgmlType(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return 0;
    case WeightType::kI32:
      return 26;
    case WeightType::kF16:
      return 1;
    case WeightType::kBF16:
      return 30;
    case WeightType::kQ4_0:
      return 2;
    case WeightType::kQ4_1:
      return 3;
    case WeightType::kQ8_0:
      return 8;
    case WeightType::kQ4_K:
      return 12;
    case WeightType::kQ5_K:
      return 13;
    case WeightType::kQ6_K:
      return 14;
  }
  return 0;
}

}  // namespace

void GgufWriter::AddKey(std::string_view key, GgufType type) {
  ++pairs_;
  AppendString(metadata_, key);
  Append(metadata_, type);
}

void GgufWriter::AddUint32(std::string_view key, uint32_t value) {
  AddKey(key, GgufType::kUint32);
  Append(metadata_, value);
}

void GgufWriter::AddFloat32(std::string_view key, float value) {
  AddKey(key, GgufType::kFloat32);
  Append(metadata_, value);
}

void GgufWriter::AddBool(std::string_view key, bool value) {
  AddKey(key, GgufType::kBool);
  Append<uint8_t>(metadata_, value);
}

void GgufWriter::AddString(std::string_view key, std::string_view value) {
  AddKey(key, GgufType::kString);
  AppendString(metadata_, value);
}

void GgufWriter::AddStrings(std::string_view key, std::span<const std::string> values) {
  AddKey(key, GgufType::kArray);
  Append(metadata_, GgufType::kString);
  Append<uint64_t>(metadata_, values.size());
  for (const std::string& value : values) AppendString(metadata_, value);
}

void GgufWriter::AddInt32s(std::string_view key, std::span<const int32_t> values) {
  AddKey(key, GgufType::kArray);
  Append(metadata_, GgufType::kInt32);
  Append<uint64_t>(metadata_, values.size());
  for (const int32_t value : values) Append(metadata_, value);
}

void GgufWriter::AddFloat32s(std::string_view key, std::span<const float> values) {
  AddKey(key, GgufType::kArray);
  Append(metadata_, GgufType::kFloat32);
  Append<uint64_t>(metadata_, values.size());
  for (const float value : values) Append(metadata_, value);
}

void GgufWriter::AddTensor(std::string_view name, WeightType type, int64_t rows, int64_t columns,
                           std::string_view bytes) {
  ++tensors_;
  AppendString(tensor_table_, name);
  Append<uint32_t>(tensor_table_, rows == 0 ? 1 : 2);
  Append<uint64_t>(tensor_table_, columns);
  if (rows != 0) Append<uint64_t>(tensor_table_, rows);
  Append(tensor_table_, GgmlType(type));
  Align(data_);
  Append<uint64_t>(tensor_table_, data_.size());
  data_.append(bytes);
}

std::string GgufWriter::Finish() const {
  std::string file = "GGUF";
  Append(file, kVersion);
  Append(file, tensors_);
  Append(file, pairs_);
  file += metadata_;
  file += tensor_table_;
  Align(file);
  file += data_;
  return file;
}

}  // namespace tandem::model::testing

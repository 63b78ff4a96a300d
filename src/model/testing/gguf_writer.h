#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_metadata.h"
#include "model/weight_source.h"

namespace tandem::model::testing {

/// Puts a GGUF file together in memory, version 3, for tests.
class GgufWriter {
 public:
  void AddUint32(std::string_view key, uint32_t value);
  void AddFloat32(std::string_view key, float value);
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddStrings(std::string_view key, std::span<const std::string> values);
  void AddInt32s(std::string_view key, std::span<const int32_t> values);
  void AddFloat32s(std::string_view key, std::span<const float> values);

  /// `bytes` holds `rows` rows of RowBytes(type, columns). rows 0 writes a vector of one dimension.
  void AddTensor(std::string_view name, WeightType type, int64_t rows, int64_t columns,
                 std::string_view bytes);

  /// The file's bytes.
  std::string Finish() const;

 private:
  void AddKey(std::string_view key, GgufType type);

  uint64_t pairs_ = 0;
  uint64_t tensors_ = 0;
  std::string metadata_;
  std::string tensor_table_;
  std::string data_;
};

}  // namespace tandem::model::testing

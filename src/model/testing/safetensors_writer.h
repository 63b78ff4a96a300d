#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::model::testing {

/// Puts a safetensors file together in memory, for tests.
class SafetensorsWriter {
 public:
  /// `dtype` as the format names it: "F32".
  void AddTensor(std::string_view name, std::string_view dtype, const std::vector<int64_t>& shape,
                 std::string_view bytes);

  /// A tensor whose entry in the header is `json`, for wrong ones.
  void AddEntry(std::string_view name, std::string_view json);

  /// The file's bytes.
  std::string Finish() const;

 private:
  std::string header_;
  std::string data_;
};

/// 8 bytes of size and the header, as a safetensors file begins.
std::string SafetensorsFile(std::string_view header, std::string_view data);

}  // namespace tandem::model::testing

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/safetensors_reader.h"

/// A safetensors file, and the same bytes as an index.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto tensors = tandem::model::ReadSafetensors(bytes);
  if (tensors.ok()) {
    unsigned sum = 0;
    for (const auto& tensor : *tensors) {
      // Reads the last byte of each, which lies within the file.
      if (tensor.View().ok()) sum += std::to_integer<unsigned>(tensor.bytes.back());
    }
    asm volatile("" : : "r"(sum));
  }
  (void)tandem::model::ReadSafetensorsIndex({reinterpret_cast<const char*>(data), size});
  return 0;
}

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/tokenizer.h"

/// A tokenizer.json, and a text that it encodes and decodes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = tandem::model::Tokenizer::FromJson(input);
  if (!tokenizer.ok()) return 0;
  const auto ids = (*tokenizer)->Encode(input, true);
  (*tokenizer)->Decode(ids, true);
  tandem::model::IncrementalDetokenizer detokenizer(**tokenizer, false);
  for (const int32_t id : ids) detokenizer.Append(id);
  detokenizer.Flush();
  return 0;
}

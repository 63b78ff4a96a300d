#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/generation_config.h"
#include "model/hf_config.h"
#include "model/tokenizer_config.h"

/// A config.json, generation_config.json or tokenizer_config.json.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)tandem::model::ParseHfConfig(text);
  (void)tandem::model::ParseGenerationConfig(text);
  (void)tandem::model::ParseTokenizerConfig(text);
  return 0;
}

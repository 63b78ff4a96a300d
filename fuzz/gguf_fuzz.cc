#include <cstddef>
#include <cstdint>
#include <span>

#include "model/gguf_model.h"
#include "model/tokenizer/gguf_tokenizer.h"

/// A GGUF file: metadata, tensors, config, tokenizer and fingerprint.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto model = tandem::model::GgufModel::FromBytes(std::as_bytes(std::span(data, size)));
  if (!model.ok()) return 0;
  (*model)->Fingerprint();
  const auto tokenizer = tandem::model::ReadGgufTokenizer((*model)->metadata());
  if (tokenizer.ok()) (*tokenizer)->Encode("The end <|im_end|> of 1 text\n", true);
  return 0;
}

#pragma once

#include <string>
#include <vector>

namespace tandem::model::testing {

/// A byte-level BPE vocabulary in GGUF's terms. Token ids are positions in `tokens`.
struct TinyVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::string> merges;
  int special_tokens = 0;  ///< They come first.
};

/// Three special tokens, the 256 bytes, and merges for some common English letter pairs and words.
TinyVocabulary MakeTinyVocabulary();

}  // namespace tandem::model::testing

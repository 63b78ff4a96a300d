#include "model/tokenizer/pre_tokenizer.h"

#include <utility>

namespace tandem::model {

std::vector<std::string_view> PreTokenizer::Split(std::string_view text) const {
  std::vector<std::string_view> pieces = {text};
  for (const auto& splitter : splitters_) {
    std::vector<std::string_view> finer;
    finer.reserve(pieces.size() + text.size() / 4);
    for (const std::string_view piece : pieces) splitter->Split(piece, &finer);
    pieces = std::move(finer);
  }
  return pieces;
}

}  // namespace tandem::model

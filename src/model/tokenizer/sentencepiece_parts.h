#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer/sentencepiece_tokenizer.h"
#include "model/tokenizer/vocabulary.h"

namespace tandem::model {

/// Parts of a SentencePieceTokenizer out of a vocabulary and its merges, wherever they stood; what
/// is said about spaces and special tokens is left as it is by default. InvalidArgument if a byte
/// has no token.
absl::StatusOr<SentencePieceParts> MakeSentencePieceParts(TokenTable tokens, const TokenIds& ids,
                                                          std::span<const Merge> merges,
                                                          std::vector<AddedToken> added);

}  // namespace tandem::model

#pragma once

#include <span>
#include <vector>

#include "model/tokenizer/byte_pair_encoder.h"
#include "model/tokenizer/vocabulary.h"

namespace tandem::model {

/// The merges of a vocabulary that has scores instead, as SentencePiece's BPE models and GGUF's
/// "llama" tokenizers do: any two tokens become a third that is their text joined, the one of the
/// highest score first, of equal ones the leftmost. `scores` are by id, and none is a NaN.
std::vector<Merge> ScoreMerges(const TokenIds& ids, std::span<const double> scores);

}  // namespace tandem::model

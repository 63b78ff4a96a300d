#pragma once

#include "absl/status/statusor.h"
#include "model/json_reader.h"
#include "model/tokenizer/sentencepiece_tokenizer.h"

namespace tandem::model {

/// What the normalizer (Prepend and Replace) or the pre_tokenizer (Metaspace) of a tokenizer.json
/// of SentencePiece's kind says about spaces. InvalidArgument for a step that would do something
/// else.
absl::StatusOr<PrependSpace> ReadPrependSpace(const JsonReader& root);

/// Whether its decoder (a sequence of Replace, ByteFallback, Fuse and Strip, or Metaspace) takes a
/// space from the beginning.
absl::StatusOr<bool> ReadStripsFirstSpace(const JsonReader& root);

}  // namespace tandem::model

#pragma once

#include "absl/status/statusor.h"
#include "model/json_reader.h"
#include "model/tokenizer/pre_tokenizer.h"

namespace tandem::model {

/// The field pre_tokenizer of a tokenizer.json: Sequence, Split, Digits and ByteLevel.
absl::StatusOr<PreTokenizer> ReadPreTokenizer(const JsonReader& field);

}  // namespace tandem::model

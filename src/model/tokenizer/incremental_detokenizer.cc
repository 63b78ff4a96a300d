#include <utility>

#include "model/tokenizer.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model {

std::string IncrementalDetokenizer::Append(int32_t id) {
  if (skip_special_tokens_ && tokenizer_.IsSpecial(id)) return "";
  pending_ += tokenizer_.Bytes(id);
  const size_t complete = pending_.size() - UnfinishedCharacterSize(pending_);
  std::string text;
  AppendWithoutBrokenUtf8(std::string_view(pending_).substr(0, complete), &text);
  pending_.erase(0, complete);
  return text;
}

std::string IncrementalDetokenizer::Flush() {
  std::string text;
  AppendWithoutBrokenUtf8(std::exchange(pending_, {}), &text);
  return text;
}

}  // namespace tandem::model

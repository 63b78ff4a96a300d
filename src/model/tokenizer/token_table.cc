#include "model/tokenizer/token_table.h"

#include "model/tokenizer/byte_level.h"

namespace tandem::model {

void TokenTable::Set(int32_t id, std::string_view token) {
  Entry& entry = entries_[id];
  entry.offset = static_cast<uint32_t>(bytes_.size());
  AppendByteLevelDecoded(token, &bytes_);
  entry.size = static_cast<uint32_t>(bytes_.size() - entry.offset);
}

void TokenTable::SetBytes(int32_t id, std::string_view bytes) {
  entries_[id].offset = static_cast<uint32_t>(bytes_.size());
  entries_[id].size = static_cast<uint32_t>(bytes.size());
  bytes_ += bytes;
}

std::string_view TokenTable::Bytes(int32_t id) const {
  if (!Contains(id)) return {};
  return std::string_view(bytes_).substr(entries_[id].offset, entries_[id].size);
}

bool TokenTable::IsSpecial(int32_t id) const { return Contains(id) && entries_[id].special; }

}  // namespace tandem::model

#include "model/tokenizer/bpe_tokenizer.h"

#include <utility>

#include "model/tokenizer/utf8.h"

namespace tandem::model {

BpeTokenizer::BpeTokenizer(BpeTokenizerParts parts) : parts_(std::move(parts)) {
  if (!parts_.ignore_merges) return;
  whole_pieces_.reserve(parts_.tokens.size());
  for (int32_t id = 0; id < parts_.tokens.size(); ++id) {
    if (!parts_.tokens.Bytes(id).empty()) whole_pieces_.try_emplace(parts_.tokens.Bytes(id), id);
  }
}

std::vector<int32_t> BpeTokenizer::Encode(std::string_view text, bool add_special_tokens) const {
  std::string storage;
  const std::string_view valid = WithoutBrokenUtf8(text, &storage);
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 8);
  if (add_special_tokens) ids = parts_.prefix;
  parts_.added_tokens.ForEachSection(valid, [&](const TextSection& section) {
    if (section.added_token >= 0) {
      ids.push_back(section.added_token);
    } else {
      EncodeText(section.text, &ids);
    }
  });
  if (add_special_tokens) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

void BpeTokenizer::EncodeText(std::string_view text, std::vector<int32_t>* ids) const {
  for (const std::string_view piece : parts_.pre_tokenizer.Split(text)) {
    if (parts_.ignore_merges) {
      const auto whole = whole_pieces_.find(piece);
      if (whole != whole_pieces_.end()) {
        ids->push_back(whole->second);
        continue;
      }
    }
    parts_.encoder.Encode(piece, ids);
  }
}

std::string BpeTokenizer::Decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (skip_special_tokens && IsSpecial(id)) continue;
    bytes += Bytes(id);
  }
  std::string storage;
  const std::string_view text = WithoutBrokenUtf8(bytes, &storage);
  return text.data() == bytes.data() ? std::move(bytes) : std::move(storage);
}

}  // namespace tandem::model

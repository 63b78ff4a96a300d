#include "model/tokenizer/sentencepiece_tokenizer.h"

#include <charconv>
#include <system_error>

#include "model/tokenizer/utf8.h"

namespace tandem::model {
namespace {

bool NeedsSpace(PrependSpace when, bool is_first, std::string_view text) {
  const bool is_there = text.starts_with(' ') || text.starts_with(kSentencePieceSpace);
  switch (when) {
    case PrependSpace::kNever:
      return false;
    case PrependSpace::kAlways:
      return true;
    case PrependSpace::kUnlessThere:
      return !is_there;
    case PrependSpace::kFirstUnlessThere:
      return is_first && !is_there;
  }
  return false;
}

}  // namespace

std::string SentencePieceBytes(std::string_view token) {
  if (token.size() == 6 && token.starts_with("<0x") && token.ends_with('>')) {
    unsigned byte = 0;
    const char* digits = token.data() + 3;
    const auto [end, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error == std::errc() && end == digits + 2) return std::string(1, static_cast<char>(byte));
  }
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    if (token.substr(at).starts_with(kSentencePieceSpace)) {
      bytes += ' ';
      at += kSentencePieceSpace.size();
    } else {
      bytes += token[at++];
    }
  }
  return bytes;
}

std::vector<int32_t> SentencePieceTokenizer::Encode(std::string_view text,
                                                    bool add_special_tokens) const {
  std::string storage;
  const std::string_view valid = WithoutBrokenUtf8(text, &storage);
  std::vector<int32_t> ids;
  if (add_special_tokens) ids = parts_.prefix;
  bool is_first = true;
  parts_.added_tokens.ForEachSection(valid, [&](const TextSection& section) {
    if (section.added_token >= 0) {
      ids.push_back(section.added_token);
    } else {
      EncodeText(section.text, is_first, &ids);
    }
    is_first = false;
  });
  if (add_special_tokens) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

void SentencePieceTokenizer::EncodeText(std::string_view text, bool is_first,
                                        std::vector<int32_t>* ids) const {
  std::vector<int32_t> symbols;
  symbols.reserve(text.size() + 1);
  const auto append = [&](std::string_view character) {
    const auto found = parts_.characters.find(character);
    if (found != parts_.characters.end()) {
      symbols.push_back(found->second);
      return;
    }
    for (const char c : character) {
      symbols.push_back(parts_.byte_tokens[static_cast<uint8_t>(c)]);
    }
  };
  if (NeedsSpace(parts_.prepend_space, is_first, text)) append(kSentencePieceSpace);
  while (!text.empty()) {
    const size_t size = FirstCharacter(text).size;
    append(text[0] == ' ' ? kSentencePieceSpace : text.substr(0, size));
    text.remove_prefix(size);
  }
  parts_.encoder.EncodeSymbols(symbols, ids);
}

std::string SentencePieceTokenizer::Decode(std::span<const int32_t> ids,
                                           bool skip_special_tokens) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (skip_special_tokens && IsSpecial(id)) continue;
    bytes += Bytes(id);
  }
  std::string text;
  AppendWithoutBrokenUtf8(bytes, &text);
  if (parts_.strip_first_space && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace tandem::model

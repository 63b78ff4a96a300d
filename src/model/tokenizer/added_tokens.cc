#include "model/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "model/tokenizer/unicode.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model {
namespace {

/// Where the last character of `text`, which is not empty, begins.
size_t LastCharacterStart(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (text[at] & 0xc0) == 0x80) --at;
  return at;
}

size_t WithoutSpaceAtEnd(std::string_view text, size_t from) {
  size_t end = text.size();
  while (end > from) {
    const size_t start = LastCharacterStart(text.substr(0, end));
    if (!IsWhiteSpace(FirstCharacter(text.substr(start)).code_point)) break;
    end = start;
  }
  return std::max(end, from);
}

size_t SpaceAtStart(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const Utf8Character character = FirstCharacter(text.substr(size));
    if (!IsWhiteSpace(character.code_point)) break;
    size += character.size;
  }
  return size;
}

bool StandsAlone(std::string_view text, size_t start, size_t end) {
  if (start > 0) {
    const size_t previous = LastCharacterStart(text.substr(0, start));
    if (IsWordCharacter(FirstCharacter(text.substr(previous)).code_point)) return false;
  }
  return end == text.size() || !IsWordCharacter(FirstCharacter(text.substr(end)).code_point);
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) {
  for (AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    by_first_byte_[static_cast<uint8_t>(token.content[0])].push_back(std::move(token));
  }
  for (std::vector<AddedToken>& candidates : by_first_byte_) {
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
      return a.content.size() > b.content.size();
    });
  }
}

const AddedToken* AddedTokenFinder::MatchAt(std::string_view text, size_t at) const {
  for (const AddedToken& token : by_first_byte_[static_cast<uint8_t>(text[at])]) {
    if (text.substr(at).starts_with(token.content)) return &token;
  }
  return nullptr;
}

void AddedTokenFinder::Split(std::string_view text, std::vector<TextSection>* sections) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = MatchAt(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t start = at;
    size_t end = at + token->content.size();
    at = end;
    if (token->single_word && !StandsAlone(text, start, end)) continue;
    if (token->strip_left) start = WithoutSpaceAtEnd(text.substr(0, start), done);
    if (token->strip_right) end += SpaceAtStart(text.substr(end));
    if (start > done) sections->push_back({text.substr(done, start - done)});
    sections->push_back({text.substr(start, end - start), token->id});
    done = at = end;
  }
  if (done < text.size()) sections->push_back({text.substr(done)});
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, Normalization normalization)
    : normalization_(normalization) {
  const auto middle = std::stable_partition(
      tokens.begin(), tokens.end(), [](const AddedToken& token) { return !token.normalized; });
  std::vector<AddedToken> normalized(std::make_move_iterator(middle),
                                     std::make_move_iterator(tokens.end()));
  tokens.erase(middle, tokens.end());
  for (AddedToken& token : normalized) {
    std::string storage;
    token.content = std::string(Normalize(normalization, token.content, &storage));
  }
  raw_finder_ = AddedTokenFinder(std::move(tokens));
  normalized_finder_ = AddedTokenFinder(std::move(normalized));
}

}  // namespace tandem::model

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/normalizer.h"

namespace tandem::model {

/// A token that is found in the text before it is split, in the terms of tokenizer.json.
struct AddedToken {
  int32_t id;
  std::string content;
  bool special = false;      ///< Left out of decoded text on demand.
  bool normalized = false;   ///< Looked for in the normalized text.
  bool single_word = false;  ///< Only between non-word characters.
  bool strip_left = false;   ///< Takes white space on its left with it.
  bool strip_right = false;
};

/// A part of a text: an added token, or what lies between two.
struct TextSection {
  std::string_view text;
  int32_t added_token = -1;  ///< -1: ordinary text.
};

/// Finds added tokens of one kind: the leftmost, and the longest of those that begin there. Const
/// and safe for use by several threads.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  /// Appends the sections of `text`, which is valid UTF-8; none is empty.
  void Split(std::string_view text, std::vector<TextSection>* sections) const;

 private:
  const AddedToken* MatchAt(std::string_view text, size_t at) const;

  std::array<std::vector<AddedToken>, 256> by_first_byte_;  ///< Longest first.
};

/// Both kinds of added tokens: those found in the text as it is, and in what is left, normalized,
/// the others.
class AddedTokens {
 public:
  AddedTokens(std::vector<AddedToken> tokens, Normalization normalization);

  /// Calls `visit(section)` for each section of `text` in order, ordinary text normalized. Sections
  /// are valid during the call only.
  template <typename Visitor>
  void ForEachSection(std::string_view text, Visitor visit) const {
    std::vector<TextSection> raw;
    raw_finder_.Split(text, &raw);
    std::string storage;
    std::vector<TextSection> sections;
    for (const TextSection& section : raw) {
      sections.clear();
      if (section.added_token >= 0) {
        sections.push_back(section);
      } else {
        normalized_finder_.Split(Normalize(normalization_, section.text, &storage), &sections);
      }
      for (const TextSection& part : sections) visit(part);
    }
  }

 private:
  Normalization normalization_;
  AddedTokenFinder raw_finder_;
  AddedTokenFinder normalized_finder_;
};

}  // namespace tandem::model

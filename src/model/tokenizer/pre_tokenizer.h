#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenizer/splitter.h"

namespace tandem::model {

/// GPT-2's pattern, the one of byte-level pre-tokenization.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Splitters one after another, each cutting the pieces of the one before.
class PreTokenizer {
 public:
  explicit PreTokenizer(std::vector<std::unique_ptr<Splitter>> splitters)
      : splitters_(std::move(splitters)) {}

  /// The pieces of `text`, which is valid UTF-8; views into it.
  std::vector<std::string_view> Split(std::string_view text) const;

 private:
  std::vector<std::unique_ptr<Splitter>> splitters_;
};

}  // namespace tandem::model

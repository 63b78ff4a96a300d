#include "model/tokenizer/gguf_sentencepiece_tokenizer.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/tokenizer/gguf_vocabulary.h"
#include "model/tokenizer/score_merges.h"
#include "model/tokenizer/sentencepiece_parts.h"

namespace tandem::model {
namespace {

constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
constexpr std::string_view kSpacePrefixKey = "tokenizer.ggml.add_space_prefix";
constexpr std::array kSpecial = {GgufTokenType::kUnknown, GgufTokenType::kControl};

absl::StatusOr<std::vector<double>> ReadScores(const GgufMetadata& metadata, size_t tokens) {
  ASSIGN_OR_RETURN(std::vector<double> scores, metadata.Numbers(kScoresKey));
  if (scores.size() != tokens) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} has {} elements; accepted: {}, one for each token", kScoresKey,
                    scores.size(), tokens));
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!std::isnan(scores[i])) continue;
    return absl::InvalidArgumentError(fmt::format(
        "metadata key {}, element {} is {}; accepted: a number", kScoresKey, i, scores[i]));
  }
  return scores;
}

/// What merges make, and are made of: text that looks like a special token does not become one.
TokenIds MergeableTokens(const GgufVocabulary& vocabulary) {
  TokenIds ids;
  for (const auto& [token, id] : vocabulary.ids) {
    if (vocabulary.types[id] == GgufTokenType::kNormal) ids.emplace(token, id);
  }
  return ids;
}

TokenTable MakeTable(const GgufVocabulary& vocabulary) {
  TokenTable table(static_cast<int32_t>(vocabulary.tokens.size()));
  for (int32_t id = 0; id < table.size(); ++id) {
    table.SetBytes(id, SentencePieceBytes(vocabulary.tokens[id]));
  }
  for (const AddedToken& token : vocabulary.added) {
    table.SetBytes(token.id, token.content);
    if (token.special) table.MarkSpecial(token.id);
  }
  return table;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufSentencePieceTokenizer(
    const GgufMetadata& metadata) {
  ASSIGN_OR_RETURN(GgufVocabulary vocabulary, ReadGgufVocabulary(metadata, kSpecial, true));
  ASSIGN_OR_RETURN(const std::vector<double> scores,
                   ReadScores(metadata, vocabulary.tokens.size()));
  const std::vector<Merge> merges = ScoreMerges(MergeableTokens(vocabulary), scores);
  TokenTable table = MakeTable(vocabulary);
  ASSIGN_OR_RETURN(SentencePieceParts parts,
                   MakeSentencePieceParts(std::move(table), vocabulary.ids, merges,
                                          std::move(vocabulary.added)));
  bool space_prefix = true;
  if (metadata.Has(kSpacePrefixKey)) {
    ASSIGN_OR_RETURN(space_prefix, metadata.Bool(kSpacePrefixKey));
  }
  parts.prepend_space = space_prefix ? PrependSpace::kAlways : PrependSpace::kNever;
  parts.strip_first_space = space_prefix;
  parts.prefix = std::move(vocabulary.prefix);
  parts.suffix = std::move(vocabulary.suffix);
  parts.bos_token_id = vocabulary.bos_token_id;
  parts.eos_token_id = vocabulary.eos_token_id;
  return std::make_unique<SentencePieceTokenizer>(std::move(parts));
}

}  // namespace tandem::model

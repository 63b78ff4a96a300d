#include "model/tokenizer/gguf_byte_level_tokenizer.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/tokenizer/bpe_tokenizer.h"
#include "model/tokenizer/gguf_vocabulary.h"

namespace tandem::model {
namespace {

constexpr std::string_view kPreKey = "tokenizer.ggml.pre";
constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr std::array kSpecial = {GgufTokenType::kControl};

/// How a value of tokenizer.ggml.pre splits text.
struct PreTokenization {
  std::string_view name;
  std::string_view pattern;
  bool single_digits = false;
  Normalization normalization = Normalization::kNone;
  bool ignore_merges = false;
  bool add_bos = false;  ///< Unless tokenizer.ggml.add_bos_token says.
};

const PreTokenization kPreTokenizations[] = {
    {"default", kGpt2Pattern},
    {"gpt-2", kGpt2Pattern},
    {"gpt2", kGpt2Pattern},
    // transformers reads these files with GPT-2's pattern alone: no merge crosses a digit, but
    // white space before a digit is cut differently where digits are split off first.
    {"smollm", kGpt2Pattern},
    {"starcoder", kGpt2Pattern, true},
    {"qwen2", kQwen2Pattern, false, Normalization::kNfc},
    {"deepseek-r1-qwen", kQwen2Pattern, false, Normalization::kNfc},
    {"llama-bpe", kLlama3Pattern, false, Normalization::kNone, true, true},
    {"llama3", kLlama3Pattern, false, Normalization::kNone, true, true},
    {"llama-v3", kLlama3Pattern, false, Normalization::kNone, true, true},
};

absl::StatusOr<PreTokenization> ReadPreTokenization(const GgufMetadata& metadata) {
  if (!metadata.Has(kPreKey)) return kPreTokenizations[0];
  ASSIGN_OR_RETURN(const std::string_view name, metadata.String(kPreKey));
  std::string accepted;
  for (const PreTokenization& known : kPreTokenizations) {
    if (name == known.name) return known;
    accepted += fmt::format("{}\"{}\"", accepted.empty() ? "" : ", ", known.name);
  }
  return absl::InvalidArgumentError(
      fmt::format("metadata key {} is \"{}\"; accepted: {}", kPreKey, name, accepted));
}

absl::StatusOr<PreTokenizer> MakePreTokenizer(const PreTokenization& pre) {
  std::vector<std::unique_ptr<Splitter>> splitters;
  if (pre.single_digits) splitters.push_back(MakeDigitSplitter(true));
  ASSIGN_OR_RETURN(auto splitter, MakeRegexSplitter(pre.pattern, SplitBehavior::kIsolated, false));
  splitters.push_back(std::move(splitter));
  return PreTokenizer(std::move(splitters));
}

absl::StatusOr<std::vector<Merge>> ReadMerges(const GgufMetadata& metadata, const TokenIds& ids) {
  ASSIGN_OR_RETURN(const std::vector<std::string_view> texts, metadata.Strings(kMergesKey));
  std::vector<MergeText> merges;
  merges.reserve(texts.size());
  for (const std::string_view text : texts) {
    const auto merge = ParseMerge(text);
    if (!merge.ok()) {
      return absl::InvalidArgumentError(fmt::format("metadata key {}, element {}: {}", kMergesKey,
                                                    merges.size(),
                                                    std::string(merge.status().message())));
    }
    merges.push_back(*merge);
  }
  auto resolved = ResolveMerges(ids, merges);
  if (!resolved.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {}: {}", kMergesKey, std::string(resolved.status().message())));
  }
  return resolved;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufByteLevelTokenizer(
    const GgufMetadata& metadata) {
  ASSIGN_OR_RETURN(const PreTokenization pre, ReadPreTokenization(metadata));
  ASSIGN_OR_RETURN(GgufVocabulary vocabulary, ReadGgufVocabulary(metadata, kSpecial, pre.add_bos));
  TokenTable table(static_cast<int32_t>(vocabulary.tokens.size()));
  for (int32_t id = 0; id < table.size(); ++id) table.Set(id, vocabulary.tokens[id]);
  for (const AddedToken& token : vocabulary.added) {
    if (token.special) table.MarkSpecial(token.id);
  }
  ASSIGN_OR_RETURN(const std::vector<Merge> merges, ReadMerges(metadata, vocabulary.ids));
  ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, MakePreTokenizer(pre));
  return std::make_unique<BpeTokenizer>(
      BpeTokenizerParts{.tokens = std::move(table),
                        .added_tokens = AddedTokens(std::move(vocabulary.added), pre.normalization),
                        .pre_tokenizer = std::move(pre_tokenizer),
                        .encoder = BytePairEncoder(ByteTokens(vocabulary.ids, -1), merges),
                        .ignore_merges = pre.ignore_merges,
                        .prefix = std::move(vocabulary.prefix),
                        .suffix = std::move(vocabulary.suffix),
                        .bos_token_id = vocabulary.bos_token_id,
                        .eos_token_id = vocabulary.eos_token_id});
}

}  // namespace tandem::model

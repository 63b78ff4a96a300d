#include "model/tokenizer/gguf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/tokenizer/bpe_tokenizer.h"
#include "model/tokenizer/vocabulary.h"

namespace tandem::model {
namespace {

constexpr std::string_view kModelKey = "tokenizer.ggml.model";
constexpr std::string_view kPreKey = "tokenizer.ggml.pre";
constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";
constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr std::string_view kBosKey = "tokenizer.ggml.bos_token_id";
constexpr std::string_view kEosKey = "tokenizer.ggml.eos_token_id";

/// GGML's token types that stand in the text as they are.
constexpr int64_t kControlToken = 3;
constexpr int64_t kUserDefinedToken = 4;

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

/// -1 if the key is absent.
absl::StatusOr<int32_t> TokenId(const GgufMetadata& metadata, std::string_view key,
                                size_t vocabulary) {
  if (!metadata.Has(key)) return -1;
  ASSIGN_OR_RETURN(const int64_t id, metadata.Integer(key));
  if (id < 0 || static_cast<uint64_t>(id) >= vocabulary) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} is {}; accepted: 0 to {}", key, id, vocabulary - 1));
  }
  return static_cast<int32_t>(id);
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

absl::Status CheckModel(const GgufMetadata& metadata) {
  ASSIGN_OR_RETURN(const std::string_view model, metadata.String(kModelKey));
  if (model == "gpt2") return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("metadata key {} is \"{}\"; accepted: \"gpt2\"", kModelKey, model));
}

/// The types of all tokens; normal ones if the file gives none.
absl::StatusOr<std::vector<int64_t>> ReadTypes(const GgufMetadata& metadata, size_t tokens) {
  if (!metadata.Has(kTypesKey)) return std::vector<int64_t>(tokens, 1);
  ASSIGN_OR_RETURN(std::vector<int64_t> types, metadata.Integers(kTypesKey));
  if (types.size() != tokens) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} has {} elements; accepted: {}, one for each token", kTypesKey,
                    types.size(), tokens));
  }
  return types;
}

absl::StatusOr<bool> Flag(const GgufMetadata& metadata, std::string_view key, bool fallback) {
  if (!metadata.Has(key)) return fallback;
  return metadata.Bool(key);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufTokenizer(const GgufMetadata& metadata) {
  RETURN_IF_ERROR(CheckModel(metadata));
  ASSIGN_OR_RETURN(const PreTokenization pre, ReadPreTokenization(metadata));
  ASSIGN_OR_RETURN(const std::vector<std::string_view> tokens, metadata.Strings(kTokensKey));
  if (tokens.empty() || tokens.size() > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(fmt::format(
        "metadata key {} has {} elements; accepted: 1 to 2^31 - 1", kTokensKey, tokens.size()));
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> types, ReadTypes(metadata, tokens.size()));

  TokenTable table(static_cast<int32_t>(tokens.size()));
  TokenIds ids;
  ids.reserve(tokens.size());
  std::vector<AddedToken> added;
  for (int32_t id = 0; id < table.size(); ++id) {
    ids.try_emplace(tokens[id], id);
    table.Set(id, tokens[id]);
    const bool special = types[id] == kControlToken;
    if (special) table.MarkSpecial(id);
    if (special || types[id] == kUserDefinedToken) {
      added.push_back({.id = id, .content = std::string(tokens[id]), .special = special});
    }
  }

  ASSIGN_OR_RETURN(const std::vector<Merge> merges, ReadMerges(metadata, ids));
  ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, MakePreTokenizer(pre));
  BpeTokenizerParts parts{.tokens = std::move(table),
                          .added_tokens = AddedTokens(std::move(added), pre.normalization),
                          .pre_tokenizer = std::move(pre_tokenizer),
                          .encoder = BytePairEncoder(ByteTokens(ids, -1), merges),
                          .ignore_merges = pre.ignore_merges};
  ASSIGN_OR_RETURN(parts.bos_token_id, TokenId(metadata, kBosKey, tokens.size()));
  ASSIGN_OR_RETURN(parts.eos_token_id, TokenId(metadata, kEosKey, tokens.size()));
  ASSIGN_OR_RETURN(const bool add_bos, Flag(metadata, "tokenizer.ggml.add_bos_token", pre.add_bos));
  ASSIGN_OR_RETURN(const bool add_eos, Flag(metadata, "tokenizer.ggml.add_eos_token", false));
  if (add_bos && parts.bos_token_id >= 0) parts.prefix.push_back(parts.bos_token_id);
  if (add_eos && parts.eos_token_id >= 0) parts.suffix.push_back(parts.eos_token_id);
  return std::make_unique<BpeTokenizer>(std::move(parts));
}

}  // namespace tandem::model

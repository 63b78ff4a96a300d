#include <fmt/format.h>

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/json_reader.h"
#include "model/tokenizer/bpe_tokenizer.h"
#include "model/tokenizer/sentencepiece_parts.h"
#include "model/tokenizer/sentencepiece_steps.h"
#include "model/tokenizer/sentencepiece_tokenizer.h"
#include "model/tokenizer/tokenizer_json_splitters.h"
#include "model/tokenizer/vocabulary.h"

namespace tandem::model {
namespace {

constexpr int kMaxDepth = 8;

/// The field must be absent, null, empty or false.
absl::Status MustBeUnset(const JsonReader& parent, std::string_view name) {
  if (!parent.Has(name)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader field, parent.Member(name));
  const auto text = field.String();
  if (text.ok() && text->empty()) return absl::OkStatus();
  const auto flag = parent.BoolMember(name, false);
  if (flag.ok() && !*flag) return absl::OkStatus();
  return field.Wrong("null");
}

absl::StatusOr<Normalization> ReadNormalizer(const JsonReader& field, int depth = 0) {
  ASSIGN_OR_RETURN(const JsonReader type, field.Member("type"));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  if (name == "NFC") return Normalization::kNfc;
  if (name != "Sequence" || depth == kMaxDepth) return type.Wrong("\"NFC\" or \"Sequence\"");
  ASSIGN_OR_RETURN(const JsonReader list, field.Member("normalizers"));
  ASSIGN_OR_RETURN(const boost::json::array* elements, list.Array());
  Normalization normalization = Normalization::kNone;
  for (size_t i = 0; i < elements->size(); ++i) {
    ASSIGN_OR_RETURN(normalization, ReadNormalizer(list.Element(i), depth + 1));
  }
  return normalization;
}

absl::Status ReadVocabulary(const JsonReader& model, TokenIds* ids) {
  ASSIGN_OR_RETURN(const JsonReader field, model.Member("vocab"));
  ASSIGN_OR_RETURN(const boost::json::object* vocabulary, field.Object());
  ids->reserve(vocabulary->size());
  for (const auto& member : *vocabulary) {
    const std::string_view token(member.key().data(), member.key().size());
    const auto id = JsonReader(&member.value(), {}).TokenId();
    if (!id.ok()) {
      return JsonReader(&member.value(), fmt::format("{}.{}", field.path(), token))
          .TokenId()
          .status();
    }
    ids->try_emplace(token, *id);
  }
  return absl::OkStatus();
}

absl::StatusOr<MergeText> ReadMerge(const JsonReader& element) {
  if (element.IsString()) {
    ASSIGN_OR_RETURN(const std::string_view text, element.String());
    return ParseMerge(text);
  }
  ASSIGN_OR_RETURN(const boost::json::array* pair, element.Array());
  if (pair->size() != 2) return element.Wrong("two tokens");
  ASSIGN_OR_RETURN(const std::string_view left, element.Element(0).String());
  ASSIGN_OR_RETURN(const std::string_view right, element.Element(1).String());
  return MergeText(left, right);
}

absl::StatusOr<std::vector<Merge>> ReadMerges(const JsonReader& model, const TokenIds& ids) {
  ASSIGN_OR_RETURN(const JsonReader field, model.Member("merges"));
  ASSIGN_OR_RETURN(const boost::json::array* elements, field.Array());
  std::vector<MergeText> merges;
  merges.reserve(elements->size());
  for (size_t i = 0; i < elements->size(); ++i) {
    const auto merge = ReadMerge(field.Element(i));
    if (!merge.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}[{}]: {}", field.path(), i, std::string(merge.status().message())));
    }
    merges.push_back(*merge);
  }
  auto resolved = ResolveMerges(ids, merges);
  if (!resolved.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", field.path(), std::string(resolved.status().message())));
  }
  return resolved;
}

absl::StatusOr<AddedToken> ReadAddedToken(const JsonReader& element) {
  AddedToken token;
  ASSIGN_OR_RETURN(const JsonReader id, element.Member("id"));
  ASSIGN_OR_RETURN(token.id, id.TokenId());
  ASSIGN_OR_RETURN(const std::string_view content, element.StringMember("content"));
  token.content = std::string(content);
  ASSIGN_OR_RETURN(token.special, element.BoolMember("special", false));
  ASSIGN_OR_RETURN(token.normalized, element.BoolMember("normalized", !token.special));
  ASSIGN_OR_RETURN(token.single_word, element.BoolMember("single_word", false));
  ASSIGN_OR_RETURN(token.strip_left, element.BoolMember("lstrip", false));
  ASSIGN_OR_RETURN(token.strip_right, element.BoolMember("rstrip", false));
  return token;
}

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const JsonReader& root) {
  std::vector<AddedToken> tokens;
  if (!root.Has("added_tokens")) return tokens;
  ASSIGN_OR_RETURN(const JsonReader field, root.Member("added_tokens"));
  ASSIGN_OR_RETURN(const boost::json::array* elements, field.Array());
  for (size_t i = 0; i < elements->size(); ++i) {
    ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(field.Element(i)));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// The special tokens that a post-processor puts around one text.
struct SpecialTokens {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};

/// Reads a TemplateProcessing's "single": a list of {"SpecialToken": {"id": name}} and {"Sequence":
/// ...}, with the ids of the names in "special_tokens".
absl::Status ReadTemplate(const JsonReader& field, SpecialTokens* tokens) {
  ASSIGN_OR_RETURN(const JsonReader single, field.Member("single"));
  ASSIGN_OR_RETURN(const boost::json::array* elements, single.Array());
  bool behind_text = false;
  for (size_t i = 0; i < elements->size(); ++i) {
    const JsonReader element = single.Element(i);
    if (element.Has("Sequence")) {
      behind_text = true;
      continue;
    }
    ASSIGN_OR_RETURN(const JsonReader special, element.Member("SpecialToken"));
    ASSIGN_OR_RETURN(const std::string_view name, special.StringMember("id"));
    ASSIGN_OR_RETURN(const JsonReader all, field.Member("special_tokens"));
    ASSIGN_OR_RETURN(const JsonReader entry, all.Member(name));
    ASSIGN_OR_RETURN(const JsonReader ids, entry.Member("ids"));
    ASSIGN_OR_RETURN(const boost::json::array* values, ids.Array());
    for (size_t j = 0; j < values->size(); ++j) {
      ASSIGN_OR_RETURN(const int32_t id, ids.Element(j).TokenId());
      (behind_text ? tokens->suffix : tokens->prefix).push_back(id);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPostProcessor(const JsonReader& field, int depth, SpecialTokens* tokens) {
  ASSIGN_OR_RETURN(const JsonReader type, field.Member("type"));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  if (name == "ByteLevel") return absl::OkStatus();
  if (name == "TemplateProcessing") return ReadTemplate(field, tokens);
  if (name != "Sequence" || depth == kMaxDepth) {
    return type.Wrong("\"ByteLevel\", \"TemplateProcessing\" or \"Sequence\"");
  }
  ASSIGN_OR_RETURN(const JsonReader list, field.Member("processors"));
  ASSIGN_OR_RETURN(const boost::json::array* elements, list.Array());
  for (size_t i = 0; i < elements->size(); ++i) {
    RETURN_IF_ERROR(ReadPostProcessor(list.Element(i), depth + 1, tokens));
  }
  return absl::OkStatus();
}

absl::Status CheckModel(const JsonReader& model) {
  ASSIGN_OR_RETURN(const JsonReader type, model.Member("type"));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  if (name != "BPE") return type.Wrong("\"BPE\"");
  for (const std::string_view field :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    RETURN_IF_ERROR(MustBeUnset(model, field));
  }
  return absl::OkStatus();
}

absl::Status CheckDecoder(const JsonReader& root) {
  if (!root.Has("decoder")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonReader decoder, root.Member("decoder"));
  ASSIGN_OR_RETURN(const JsonReader type, decoder.Member("type"));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  return name == "ByteLevel" ? absl::OkStatus() : type.Wrong("\"ByteLevel\"");
}

absl::StatusOr<int32_t> ReadUnknownToken(const JsonReader& model, const TokenIds& ids) {
  ASSIGN_OR_RETURN(const std::string_view name, model.StringMember("unk_token", ""));
  const auto found = ids.find(name);
  return found == ids.end() ? -1 : found->second;
}

TokenTable MakeTable(const TokenIds& ids, const std::vector<AddedToken>& added) {
  int32_t last = -1;
  for (const auto& [token, id] : ids) last = std::max(last, id);
  for (const AddedToken& token : added) last = std::max(last, token.id);
  TokenTable table(last + 1);
  for (const auto& [token, id] : ids) table.Set(id, token);
  for (const AddedToken& token : added) {
    table.Set(token.id, token.content);
    if (token.special) table.MarkSpecial(token.id);
  }
  return table;
}

/// The id of the token that tokenizer_config.json names as `field`.
absl::StatusOr<int32_t> FindNamedToken(std::string_view field, const std::string& content,
                                       const TokenIds& ids, const std::vector<AddedToken>& added) {
  for (const AddedToken& token : added) {
    if (token.content == content) return token.id;
  }
  const auto found = ids.find(content);
  if (found != ids.end()) return found->second;
  return absl::InvalidArgumentError(
      fmt::format("{} is \"{}\"; accepted: a token of tokenizer.json", field, content));
}

/// What both kinds of tokenizers have.
struct CommonParts {
  TokenIds ids;
  std::vector<Merge> merges;
  std::vector<AddedToken> added;
  SpecialTokens special;
  int32_t bos = -1, eos = -1;
};

absl::StatusOr<CommonParts> ReadCommonParts(const JsonReader& root, const JsonReader& model,
                                            const SpecialTokenNames& names) {
  CommonParts parts;
  RETURN_IF_ERROR(ReadVocabulary(model, &parts.ids));
  ASSIGN_OR_RETURN(parts.merges, ReadMerges(model, parts.ids));
  ASSIGN_OR_RETURN(parts.added, ReadAddedTokens(root));
  if (root.Has("post_processor")) {
    ASSIGN_OR_RETURN(const JsonReader field, root.Member("post_processor"));
    RETURN_IF_ERROR(ReadPostProcessor(field, 0, &parts.special));
  }
  if (parts.special.prefix.size() == 1) parts.bos = parts.special.prefix[0];
  if (parts.special.suffix.size() == 1) parts.eos = parts.special.suffix[0];
  if (names.bos) {
    ASSIGN_OR_RETURN(parts.bos, FindNamedToken("bos_token", *names.bos, parts.ids, parts.added));
  }
  if (names.eos) {
    ASSIGN_OR_RETURN(parts.eos, FindNamedToken("eos_token", *names.eos, parts.ids, parts.added));
  }
  return parts;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeByteLevel(const JsonReader& root,
                                                         const JsonReader& model,
                                                         CommonParts common) {
  RETURN_IF_ERROR(CheckDecoder(root));
  ASSIGN_OR_RETURN(const int32_t unknown, ReadUnknownToken(model, common.ids));
  Normalization normalization = Normalization::kNone;
  if (root.Has("normalizer")) {
    ASSIGN_OR_RETURN(const JsonReader field, root.Member("normalizer"));
    ASSIGN_OR_RETURN(normalization, ReadNormalizer(field));
  }
  ASSIGN_OR_RETURN(const JsonReader pre_tokenizer_field, root.Member("pre_tokenizer"));
  ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, ReadPreTokenizer(pre_tokenizer_field));
  TokenTable table = MakeTable(common.ids, common.added);
  BpeTokenizerParts parts{
      .tokens = std::move(table),
      .added_tokens = AddedTokens(std::move(common.added), normalization),
      .pre_tokenizer = std::move(pre_tokenizer),
      .encoder = BytePairEncoder(ByteTokens(common.ids, unknown), common.merges)};
  ASSIGN_OR_RETURN(parts.ignore_merges, model.BoolMember("ignore_merges", false));
  parts.bos_token_id = common.bos;
  parts.eos_token_id = common.eos;
  parts.prefix = std::move(common.special.prefix);
  parts.suffix = std::move(common.special.suffix);
  return std::make_unique<BpeTokenizer>(std::move(parts));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePiece(const JsonReader& root,
                                                             CommonParts common) {
  ASSIGN_OR_RETURN(const PrependSpace prepend_space, ReadPrependSpace(root));
  ASSIGN_OR_RETURN(const bool strip_first_space, ReadStripsFirstSpace(root));
  TokenTable table = MakeTable(common.ids, common.added);
  for (const auto& [token, id] : common.ids) table.SetBytes(id, SentencePieceBytes(token));
  for (const AddedToken& token : common.added) table.SetBytes(token.id, token.content);
  ASSIGN_OR_RETURN(
      SentencePieceParts parts,
      MakeSentencePieceParts(std::move(table), common.ids, common.merges, std::move(common.added)));
  parts.prepend_space = prepend_space;
  parts.strip_first_space = strip_first_space;
  parts.prefix = std::move(common.special.prefix);
  parts.suffix = std::move(common.special.suffix);
  parts.bos_token_id = common.bos;
  parts.eos_token_id = common.eos;
  return std::make_unique<SentencePieceTokenizer>(std::move(parts));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTokenizer(const JsonReader& root,
                                                         const SpecialTokenNames& names) {
  ASSIGN_OR_RETURN(const JsonReader model, root.Member("model"));
  RETURN_IF_ERROR(CheckModel(model));
  ASSIGN_OR_RETURN(CommonParts common, ReadCommonParts(root, model, names));
  ASSIGN_OR_RETURN(const bool byte_fallback, model.BoolMember("byte_fallback", false));
  if (byte_fallback) return MakeSentencePiece(root, std::move(common));
  return MakeByteLevel(root, model, std::move(common));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromJson(std::string_view json,
                                                               const SpecialTokenNames& names) {
  boost::json::error_code error;
  boost::json::monotonic_resource memory;
  const boost::json::value document =
      boost::json::parse({json.data(), json.size()}, error, &memory);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("the document is no JSON: {}", error.message()));
  }
  return ReadTokenizer(JsonReader(&document, ""), names);
}

}  // namespace tandem::model

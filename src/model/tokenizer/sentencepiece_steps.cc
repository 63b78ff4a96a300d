#include "model/tokenizer/sentencepiece_steps.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tandem::model {
namespace {

/// The steps of a field that is absent, one step, or a Sequence of them under `list_name`.
absl::StatusOr<std::vector<JsonReader>> ReadSteps(const JsonReader& root, std::string_view name,
                                                  std::string_view list_name) {
  std::vector<JsonReader> steps;
  if (!root.Has(name)) return steps;
  ASSIGN_OR_RETURN(const JsonReader field, root.Member(name));
  ASSIGN_OR_RETURN(const std::string_view type, field.StringMember("type"));
  if (type != "Sequence") return std::vector{field};
  ASSIGN_OR_RETURN(const JsonReader list, field.Member(list_name));
  ASSIGN_OR_RETURN(const boost::json::array* elements, list.Array());
  for (size_t i = 0; i < elements->size(); ++i) steps.push_back(list.Element(i));
  return steps;
}

absl::Status MustBe(const JsonReader& parent, std::string_view name, std::string_view accepted) {
  ASSIGN_OR_RETURN(const JsonReader field, parent.Member(name));
  ASSIGN_OR_RETURN(const std::string_view text, field.String());
  return text == accepted ? absl::OkStatus() : field.Wrong(fmt::format("\"{}\"", accepted));
}

/// A Replace step from one string to another.
absl::Status MustReplace(const JsonReader& step, std::string_view from, std::string_view to) {
  ASSIGN_OR_RETURN(const JsonReader pattern, step.Member("pattern"));
  RETURN_IF_ERROR(MustBe(pattern, "String", from));
  return MustBe(step, "content", to);
}

absl::StatusOr<PrependSpace> ReadMetaspace(const JsonReader& step) {
  RETURN_IF_ERROR(MustBe(step, "replacement", kSentencePieceSpace));
  ASSIGN_OR_RETURN(const bool split, step.BoolMember("split", true));
  if (split) {
    return absl::InvalidArgumentError(
        fmt::format("{}.split is true; accepted: false", step.path()));
  }
  ASSIGN_OR_RETURN(const std::string_view scheme, step.StringMember("prepend_scheme", "always"));
  if (scheme == "always") return PrependSpace::kUnlessThere;
  if (scheme == "first") return PrependSpace::kFirstUnlessThere;
  if (scheme == "never") return PrependSpace::kNever;
  ASSIGN_OR_RETURN(const JsonReader field, step.Member("prepend_scheme"));
  return field.Wrong("\"always\", \"first\" or \"never\"");
}

}  // namespace

absl::StatusOr<PrependSpace> ReadPrependSpace(const JsonReader& root) {
  PrependSpace when = PrependSpace::kNever;
  bool replaces = false;
  ASSIGN_OR_RETURN(const auto normalizers, ReadSteps(root, "normalizer", "normalizers"));
  for (const JsonReader& step : normalizers) {
    ASSIGN_OR_RETURN(const JsonReader type, step.Member("type"));
    ASSIGN_OR_RETURN(const std::string_view name, type.String());
    if (name == "Prepend") {
      RETURN_IF_ERROR(MustBe(step, "prepend", kSentencePieceSpace));
      when = PrependSpace::kAlways;
    } else if (name == "Replace") {
      RETURN_IF_ERROR(MustReplace(step, " ", kSentencePieceSpace));
      replaces = true;
    } else {
      return type.Wrong("\"Prepend\" or \"Replace\", where byte_fallback is true");
    }
  }
  ASSIGN_OR_RETURN(const auto splitters, ReadSteps(root, "pre_tokenizer", "pretokenizers"));
  for (const JsonReader& step : splitters) {
    ASSIGN_OR_RETURN(const JsonReader type, step.Member("type"));
    ASSIGN_OR_RETURN(const std::string_view name, type.String());
    if (name != "Metaspace") return type.Wrong("\"Metaspace\", where byte_fallback is true");
    ASSIGN_OR_RETURN(when, ReadMetaspace(step));
    replaces = true;
  }
  if (replaces) return when;
  return absl::InvalidArgumentError(
      "normalizer and pre_tokenizer leave spaces as they are; accepted: a normalizer with Replace, "
      "or the pre_tokenizer Metaspace, where model.byte_fallback is true");
}

absl::StatusOr<bool> ReadStripsFirstSpace(const JsonReader& root) {
  bool strips = false;
  ASSIGN_OR_RETURN(const auto steps, ReadSteps(root, "decoder", "decoders"));
  for (const JsonReader& step : steps) {
    ASSIGN_OR_RETURN(const JsonReader type, step.Member("type"));
    ASSIGN_OR_RETURN(const std::string_view name, type.String());
    if (name == "Replace") {
      RETURN_IF_ERROR(MustReplace(step, kSentencePieceSpace, " "));
    } else if (name == "Strip") {
      RETURN_IF_ERROR(MustBe(step, "content", " "));
      ASSIGN_OR_RETURN(const int64_t start, step.IntegerMember("start", 0, 1));
      RETURN_IF_ERROR(step.IntegerMember("stop", 0, 0).status());
      strips = start == 1;
    } else if (name == "Metaspace") {
      ASSIGN_OR_RETURN(const std::string_view scheme,
                       step.StringMember("prepend_scheme", "always"));
      strips = scheme != "never";
    } else if (name != "ByteFallback" && name != "Fuse") {
      return type.Wrong(
          "\"Replace\", \"ByteFallback\", \"Fuse\", \"Strip\" or \"Metaspace\", where "
          "byte_fallback "
          "is true");
    }
  }
  return strips;
}

}  // namespace tandem::model

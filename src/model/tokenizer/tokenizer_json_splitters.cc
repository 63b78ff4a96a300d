#include "model/tokenizer/tokenizer_json_splitters.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tandem::model {
namespace {

using Splitters = std::vector<std::unique_ptr<Splitter>>;

constexpr int kMaxDepth = 8;

/// `text` as a regular expression that matches just it.
std::string Quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

absl::Status AppendRegex(const JsonReader& field, std::string_view pattern, SplitBehavior behavior,
                         bool invert, Splitters* splitters) {
  auto splitter = MakeRegexSplitter(pattern, behavior, invert);
  if (!splitter.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", field.path(), std::string(splitter.status().message())));
  }
  splitters->push_back(*std::move(splitter));
  return absl::OkStatus();
}

absl::Status AppendSplit(const JsonReader& field, Splitters* splitters) {
  ASSIGN_OR_RETURN(const JsonReader behavior, field.Member("behavior"));
  ASSIGN_OR_RETURN(const std::string_view name, behavior.String());
  if (name != "Isolated" && name != "Removed") {
    return behavior.Wrong("\"Isolated\" or \"Removed\"");
  }
  ASSIGN_OR_RETURN(const bool invert, field.BoolMember("invert", false));
  ASSIGN_OR_RETURN(const JsonReader pattern, field.Member("pattern"));
  std::string regex;
  if (pattern.Has("Regex")) {
    ASSIGN_OR_RETURN(const std::string_view text, pattern.StringMember("Regex"));
    regex = std::string(text);
  } else {
    ASSIGN_OR_RETURN(const std::string_view text, pattern.StringMember("String"));
    regex = Quoted(text);
  }
  return AppendRegex(pattern, regex,
                     name == "Isolated" ? SplitBehavior::kIsolated : SplitBehavior::kRemoved,
                     invert, splitters);
}

absl::Status AppendByteLevel(const JsonReader& field, Splitters* splitters) {
  ASSIGN_OR_RETURN(const bool add_prefix_space, field.BoolMember("add_prefix_space", true));
  if (add_prefix_space) {
    return absl::InvalidArgumentError(
        fmt::format("{}.add_prefix_space is true; accepted: false", field.path()));
  }
  ASSIGN_OR_RETURN(const bool use_regex, field.BoolMember("use_regex", true));
  if (!use_regex) return absl::OkStatus();
  return AppendRegex(field, kGpt2Pattern, SplitBehavior::kIsolated, false, splitters);
}

absl::Status AppendSplitters(const JsonReader& field, int depth, Splitters* splitters) {
  ASSIGN_OR_RETURN(const JsonReader type, field.Member("type"));
  ASSIGN_OR_RETURN(const std::string_view name, type.String());
  if (name == "Split") return AppendSplit(field, splitters);
  if (name == "ByteLevel") return AppendByteLevel(field, splitters);
  if (name == "Digits") {
    ASSIGN_OR_RETURN(const bool individual, field.BoolMember("individual_digits", false));
    splitters->push_back(MakeDigitSplitter(individual));
    return absl::OkStatus();
  }
  if (name != "Sequence" || depth == kMaxDepth) {
    return type.Wrong("\"Sequence\", \"Split\", \"Digits\" or \"ByteLevel\"");
  }
  ASSIGN_OR_RETURN(const JsonReader list, field.Member("pretokenizers"));
  ASSIGN_OR_RETURN(const boost::json::array* elements, list.Array());
  for (size_t i = 0; i < elements->size(); ++i) {
    RETURN_IF_ERROR(AppendSplitters(list.Element(i), depth + 1, splitters));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreTokenizer> ReadPreTokenizer(const JsonReader& field) {
  Splitters splitters;
  RETURN_IF_ERROR(AppendSplitters(field, 0, &splitters));
  return PreTokenizer(std::move(splitters));
}

}  // namespace tandem::model

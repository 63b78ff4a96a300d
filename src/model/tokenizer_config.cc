#include "model/tokenizer_config.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>

#include "base/status.h"
#include "model/json_reader.h"

namespace tandem::model {
namespace {

/// A token stands there as its text or as an object with "content".
absl::StatusOr<std::optional<std::string>> ReadToken(const JsonReader& root,
                                                     std::string_view name) {
  if (!root.Has(name)) return std::nullopt;
  ASSIGN_OR_RETURN(const JsonReader field, root.Member(name));
  if (field.IsObject()) {
    ASSIGN_OR_RETURN(const std::string_view content, field.StringMember("content"));
    return std::string(content);
  }
  ASSIGN_OR_RETURN(const std::string_view content, field.String());
  return std::string(content);
}

absl::StatusOr<std::optional<std::string>> ReadTemplate(const JsonReader& root) {
  if (!root.Has("chat_template")) return std::nullopt;
  ASSIGN_OR_RETURN(const JsonReader field, root.Member("chat_template"));
  if (!field.IsArray()) {
    ASSIGN_OR_RETURN(const std::string_view source, field.String());
    return std::string(source);
  }
  ASSIGN_OR_RETURN(const boost::json::array* templates, field.Array());
  for (size_t i = 0; i < templates->size(); ++i) {
    const JsonReader element = field.Element(i);
    ASSIGN_OR_RETURN(const std::string_view name, element.StringMember("name"));
    if (name != "default") continue;
    ASSIGN_OR_RETURN(const std::string_view source, element.StringMember("template"));
    return std::string(source);
  }
  return field.Wrong("a template, or a list with one that is named \"default\"");
}

}  // namespace

absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value document = boost::json::parse({json.data(), json.size()}, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("the document is no JSON: {}", error.message()));
  }
  const JsonReader root(&document, "");
  RETURN_IF_ERROR(root.Object().status());
  TokenizerConfig config;
  ASSIGN_OR_RETURN(config.special_tokens.bos, ReadToken(root, "bos_token"));
  ASSIGN_OR_RETURN(config.special_tokens.eos, ReadToken(root, "eos_token"));
  ASSIGN_OR_RETURN(config.chat_template, ReadTemplate(root));
  return config;
}

}  // namespace tandem::model

#include "api/schema/unsupported_fields.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

namespace tandem::api {
namespace {

/// Fields of which only "nothing" is accepted.
constexpr std::string_view kRefused[] = {"functions",
                                         "audio",
                                         "prediction",
                                         "web_search_options",
                                         "reasoning_effort",
                                         "verbosity",
                                         "guided_json",
                                         "guided_regex",
                                         "guided_choice",
                                         "guided_grammar",
                                         "guided_decoding_backend",
                                         "guided_whitespace_pattern",
                                         "structured_outputs",
                                         "structural_tag",
                                         "logits_processors",
                                         "use_beam_search",
                                         "early_stopping",
                                         "prompt_embeds",
                                         "truncate_prompt_tokens",
                                         "documents",
                                         "chat_template",
                                         "mm_processor_kwargs",
                                         "vllm_xargs",
                                         "suffix",
                                         "thinking_token_budget"};

/// Fields that say something about the request and change nothing in the answer.
constexpr std::string_view kWithoutEffect[] = {
    "user",         "metadata",         "parallel_tool_calls",
    "service_tier", "prompt_cache_key", "safety_identifier"};

/// Fields that have one more value which asks for nothing special.
struct Usual {
  std::string_view name;
  boost::json::value value;
};

std::vector<Usual> UsualValues() {
  return {{"tool_choice", "none"},
          {"function_call", "none"},
          {"response_format", boost::json::object{{"type", "text"}}},
          {"modalities", boost::json::array{"text"}},
          {"length_penalty", 1}};
}

bool IsEmpty(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::bool_:
      return !value.get_bool();
    case boost::json::kind::int64:
      return value.get_int64() == 0;
    case boost::json::kind::double_:
      return value.get_double() == 0;
    case boost::json::kind::string:
      return value.get_string().empty();
    case boost::json::kind::array:
      return value.get_array().empty();
    case boost::json::kind::object:
      return value.get_object().empty();
    default:
      return false;
  }
}

void Refuse(FieldReader& fields, std::string_view name, const boost::json::value& value,
            std::string_view accepted) {
  fields.FailWith(name, fmt::format("{} is not supported yet, got {}; {} is accepted", name,
                                    Quote(value), accepted));
}

bool SameNumber(const boost::json::value& a, const boost::json::value& b) {
  return AsInteger(a) && AsInteger(a) == AsInteger(b);
}

}  // namespace

void RefuseUnlessEmpty(FieldReader& fields, std::string_view name) {
  const boost::json::value* found = fields.Find(name);
  if (found != nullptr && !IsEmpty(*found)) Refuse(fields, name, *found, "leaving it out");
}

void RefuseUnsupported(FieldReader& fields) {
  for (const std::string_view name : kRefused) RefuseUnlessEmpty(fields, name);
  for (const std::string_view name : kWithoutEffect) fields.Find(name);
  for (const Usual& usual : UsualValues()) {
    const boost::json::value* found = fields.Find(usual.name);
    if (found == nullptr || *found == usual.value || SameNumber(*found, usual.value)) continue;
    Refuse(fields, usual.name, *found, fmt::format("only {}", boost::json::serialize(usual.value)));
  }
}

}  // namespace tandem::api

#include "model/generation_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <limits>
#include <string>

#include "base/status.h"

namespace tandem::model {
namespace {

absl::Status Wrong(std::string_view field, const boost::json::value& value,
                   std::string_view accepted) {
  return absl::InvalidArgumentError(
      fmt::format("{} is {}; accepted: {}", field, boost::json::serialize(value), accepted));
}

/// The member, or null if it is absent or null.
const boost::json::value* Find(const boost::json::object& object, std::string_view field) {
  const boost::json::value* value = object.if_contains({field.data(), field.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

/// What requests may ask for as well (engine/request_validation).
struct Range {
  double least;
  double most;
  bool least_is_too_little = false;

  bool Has(double number) const {
    return number <= most && (least_is_too_little ? number > least : number >= least);
  }
  std::string Text() const {
    return fmt::format("a number {} {} to {}", least_is_too_little ? "above" : "from", least, most);
  }
};
constexpr double kLargest = 1e6;
constexpr Range kTemperature{0, 2}, kTopP{0, 1, true}, kMinP{0, 1},
    kRepetitionPenalty{0, kLargest, true};

absl::Status ReadNumber(const boost::json::object& object, std::string_view field,
                        const Range& range, std::optional<float>* out) {
  const boost::json::value* value = Find(object, field);
  if (value == nullptr) return absl::OkStatus();
  boost::json::error_code error;
  const double number = value->to_number<double>(error);
  if (error || !range.Has(number)) return Wrong(field, *value, range.Text());
  *out = static_cast<float>(number);
  return absl::OkStatus();
}

absl::Status ReadTopK(const boost::json::object& object, std::optional<int>* out) {
  const boost::json::value* value = Find(object, "top_k");
  if (value == nullptr) return absl::OkStatus();
  const int64_t* number = value->if_int64();
  if (number == nullptr || *number < -1 || *number > std::numeric_limits<int>::max()) {
    return Wrong("top_k", *value, "an integer from 1, or 0 or -1 (all tokens)");
  }
  *out = static_cast<int>(std::max<int64_t>(0, *number));
  return absl::OkStatus();
}

absl::Status ReadMaxNewTokens(const boost::json::object& object, std::optional<int>* out) {
  const boost::json::value* value = Find(object, "max_new_tokens");
  if (value == nullptr) return absl::OkStatus();
  const int64_t* number = value->if_int64();
  if (number == nullptr || *number < 1 || *number > std::numeric_limits<int>::max()) {
    return Wrong("max_new_tokens", *value, "an integer from 1");
  }
  *out = static_cast<int>(*number);
  return absl::OkStatus();
}

absl::Status AppendTokenId(const boost::json::value& value, std::vector<int32_t>* ids) {
  const int64_t* id = value.if_int64();
  if (id == nullptr || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
    return Wrong("eos_token_id", value, "a token id or a list of them");
  }
  ids->push_back(static_cast<int32_t>(*id));
  return absl::OkStatus();
}

absl::Status ReadEosTokenIds(const boost::json::object& object, std::vector<int32_t>* ids) {
  const boost::json::value* value = Find(object, "eos_token_id");
  if (value == nullptr) return absl::OkStatus();
  const boost::json::array* list = value->if_array();
  if (list == nullptr) return AppendTokenId(*value, ids);
  for (const boost::json::value& element : *list) RETURN_IF_ERROR(AppendTokenId(element, ids));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GenerationDefaults> ParseGenerationConfig(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value document = boost::json::parse({json.data(), json.size()}, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("the document is no JSON: {}", error.message()));
  }
  const boost::json::object* object = document.if_object();
  if (object == nullptr) return absl::InvalidArgumentError("the document is no JSON object");
  GenerationDefaults defaults;
  RETURN_IF_ERROR(ReadNumber(*object, "temperature", kTemperature, &defaults.temperature));
  RETURN_IF_ERROR(ReadNumber(*object, "top_p", kTopP, &defaults.top_p));
  RETURN_IF_ERROR(ReadNumber(*object, "min_p", kMinP, &defaults.min_p));
  RETURN_IF_ERROR(
      ReadNumber(*object, "repetition_penalty", kRepetitionPenalty, &defaults.repetition_penalty));
  RETURN_IF_ERROR(ReadTopK(*object, &defaults.top_k));
  RETURN_IF_ERROR(ReadMaxNewTokens(*object, &defaults.max_new_tokens));
  RETURN_IF_ERROR(ReadEosTokenIds(*object, &defaults.eos_token_ids));
  return defaults;
}

}  // namespace tandem::model

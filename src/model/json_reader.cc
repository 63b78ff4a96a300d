#include "model/json_reader.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <limits>

#include "base/status.h"

namespace tandem::model {
namespace {

constexpr size_t kShownCharacters = 60;

std::string_view View(const boost::json::string& text) { return {text.data(), text.size()}; }

/// The value as JSON, or what it is if that is long.
std::string Shown(const boost::json::value& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = boost::json::serialize(value);
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "...";
  return text;
}

}  // namespace

absl::Status JsonReader::Wrong(std::string_view accepted) const {
  return absl::InvalidArgumentError(
      fmt::format("{} is {}; accepted: {}", path_, Shown(*value_), accepted));
}

bool JsonReader::Has(std::string_view member) const {
  const boost::json::object* object = value_->if_object();
  if (object == nullptr) return false;
  const boost::json::value* found = object->if_contains({member.data(), member.size()});
  return found != nullptr && !found->is_null();
}

absl::StatusOr<JsonReader> JsonReader::Member(std::string_view name) const {
  ASSIGN_OR_RETURN(const boost::json::object* object, Object());
  const boost::json::value* found = object->if_contains({name.data(), name.size()});
  std::string path = path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
  if (found == nullptr) return absl::InvalidArgumentError(fmt::format("{} is missing", path));
  return JsonReader(found, std::move(path));
}

JsonReader JsonReader::Element(size_t index) const {
  return JsonReader(&value_->get_array()[index], fmt::format("{}[{}]", path_, index));
}

absl::StatusOr<std::string_view> JsonReader::String() const {
  const boost::json::string* text = value_->if_string();
  if (text == nullptr) return Wrong("a string");
  return View(*text);
}

absl::StatusOr<int32_t> JsonReader::TokenId() const {
  constexpr int64_t kMaxTokenId = 1 << 24;
  const int64_t* id = value_->if_int64();
  if (id == nullptr || *id < 0 || *id > kMaxTokenId) {
    return Wrong(fmt::format("a token id, 0 to {}", kMaxTokenId));
  }
  return static_cast<int32_t>(*id);
}

absl::StatusOr<int64_t> JsonReader::Integer(int64_t least, int64_t most) const {
  const int64_t* number = value_->if_int64();
  if (number == nullptr || *number < least || *number > most) {
    return Wrong(fmt::format("an integer from {} to {}", least, most));
  }
  return *number;
}

absl::StatusOr<double> JsonReader::Number() const {
  boost::json::error_code error;
  const double number = value_->to_number<double>(error);
  if (error || !std::isfinite(number)) return Wrong("a number");
  return number;
}

absl::StatusOr<const boost::json::array*> JsonReader::Array() const {
  const boost::json::array* array = value_->if_array();
  if (array == nullptr) return Wrong("an array");
  return array;
}

absl::StatusOr<const boost::json::object*> JsonReader::Object() const {
  const boost::json::object* object = value_->if_object();
  if (object == nullptr) {
    if (path_.empty()) return absl::InvalidArgumentError("the document is not a JSON object");
    return Wrong("an object");
  }
  return object;
}

absl::StatusOr<std::string_view> JsonReader::StringMember(std::string_view name) const {
  ASSIGN_OR_RETURN(const JsonReader member, Member(name));
  return member.String();
}

absl::StatusOr<std::string_view> JsonReader::StringMember(std::string_view name,
                                                          std::string_view fallback) const {
  if (!Has(name)) return fallback;
  return StringMember(name);
}

absl::StatusOr<int64_t> JsonReader::IntegerMember(std::string_view name, int64_t least,
                                                  int64_t most) const {
  ASSIGN_OR_RETURN(const JsonReader member, Member(name));
  return member.Integer(least, most);
}

absl::StatusOr<bool> JsonReader::BoolMember(std::string_view name, bool fallback) const {
  if (!Has(name)) return fallback;
  ASSIGN_OR_RETURN(const JsonReader member, Member(name));
  const bool* flag = member.value_->if_bool();
  if (flag == nullptr) return member.Wrong("true or false");
  return *flag;
}

}  // namespace tandem::model

#include "api/schema/field_reader.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <cmath>

#include "api/schema/error.h"
#include "base/json.h"

namespace tandem::api {
namespace {

constexpr size_t kQuotedBytes = 64;

bool Holds(const Range& range, double number) {
  if (!(number >= range.least && number <= range.most)) return false;
  return !range.above_least || number > range.least;
}

std::string Describe(std::string_view kind, const Range& range) {
  const bool has_most = std::isfinite(range.most);
  if (!std::isfinite(range.least)) {
    return has_most ? fmt::format("{} of at most {}", kind, range.most) : std::string(kind);
  }
  const std::string_view relation = range.above_least ? "above" : "of at least";
  return fmt::format("{} {} {}{}", kind, relation, range.least,
                     has_most ? fmt::format(" and at most {}", range.most) : "");
}

Range Within(const Range& range, double least, double most) {
  Range narrowed = range;
  narrowed.least = std::max(range.least, least);
  narrowed.most = std::min(range.most, most);
  return narrowed;
}

Range WithinInt(const Range& range) {
  return Within(range, std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
}

}  // namespace

std::optional<int64_t> AsInteger(const boost::json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_double() && std::abs(value.get_double()) < 9.0e15 &&
      std::trunc(value.get_double()) == value.get_double()) {
    return static_cast<int64_t>(value.get_double());
  }
  return std::nullopt;
}

std::optional<std::vector<int32_t>> AsTokenIds(const boost::json::value& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<int32_t> ids;
  ids.reserve(value.get_array().size());
  for (const boost::json::value& element : value.get_array()) {
    if (!element.is_int64()) return std::nullopt;
    const int64_t id = element.get_int64();
    if (id < 0 || id > std::numeric_limits<int32_t>::max()) return std::nullopt;
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

std::string Quote(const boost::json::value& value) {
  std::string text =
      value.is_double() ? fmt::format("{}", value.get_double()) : boost::json::serialize(value);
  if (text.size() <= kQuotedBytes) return text;
  size_t end = kQuotedBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

absl::StatusOr<boost::json::object> ParseObject(std::string_view body) {
  boost::json::error_code error;
  boost::json::stream_parser parser;
  const size_t parsed = parser.write_some(body.data(), body.size(), error);
  if (!error) parser.finish(error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("the body is not valid JSON: {} at byte {} of {}",
                                                  error.message(), parsed, body.size()));
  }
  if (body.find_first_not_of(" \t\r\n", parsed) != std::string_view::npos) {
    return absl::InvalidArgumentError(
        fmt::format("the body is not valid JSON: more text after its end, at byte {}", parsed));
  }
  boost::json::value value = parser.release();
  if (!value.is_object()) {
    return absl::InvalidArgumentError(
        fmt::format("the body must be a JSON object, got {}", Quote(value)));
  }
  if (!IsWritable(value)) {
    return absl::InvalidArgumentError(
        "the body holds a number that is too large; numbers go up to 1.7976931348623157e308");
  }
  return std::move(value.get_object());
}

const boost::json::value* FieldReader::Find(std::string_view name) {
  looked_for_.emplace(name);
  const boost::json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void FieldReader::Read(std::string_view name, bool& value) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  if (!found->is_bool()) return Fail(name, "true or false");
  value = found->get_bool();
}

void FieldReader::Read(std::string_view name, std::string& value) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  if (!found->is_string()) return Fail(name, "a string");
  value = std::string(std::string_view(found->get_string()));
}

void FieldReader::Read(std::string_view name, std::optional<float>& value, const Range& range) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  boost::json::error_code error;
  const auto number = found->to_number<double>(error);
  if (error || !Holds(range, number) || !std::isfinite(static_cast<float>(number))) {
    return Fail(name, Describe("a number", range));
  }
  value = static_cast<float>(number);
}

std::optional<int64_t> FieldReader::ReadInteger(std::string_view name, const Range& range) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return std::nullopt;
  const std::optional<int64_t> number = AsInteger(*found);
  if (!number || !Holds(range, static_cast<double>(*number))) {
    Fail(name, Describe("an integer", range));
    return std::nullopt;
  }
  return number;
}

void FieldReader::Read(std::string_view name, int& value, const Range& range) {
  const std::optional<int64_t> number = ReadInteger(name, WithinInt(range));
  if (number) value = static_cast<int>(*number);
}

void FieldReader::Read(std::string_view name, std::optional<int>& value, const Range& range) {
  const std::optional<int64_t> number = ReadInteger(name, WithinInt(range));
  if (number) value = static_cast<int>(*number);
}

void FieldReader::Read(std::string_view name, std::optional<int64_t>& value, const Range& range) {
  const std::optional<int64_t> number = ReadInteger(name, range);
  if (number) value = number;
}

void FieldReader::Read(std::string_view name, std::vector<int32_t>& value) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  std::optional<std::vector<int32_t>> ids = AsTokenIds(*found);
  if (!ids) return Fail(name, "a list of token ids (integers of at least 0)");
  value = *std::move(ids);
}

void FieldReader::Fail(std::string_view name, std::string_view accepted) {
  const boost::json::value* found = object_.if_contains(name);
  FailWith(name, fmt::format("{}{} must be {}{}", path_, name, accepted,
                             found == nullptr ? ", and is missing"
                                              : fmt::format(", got {}", Quote(*found))));
}

void FieldReader::FailWith(std::string_view name, std::string_view message) {
  if (status_.ok()) status_ = FieldError(fmt::format("{}{}", path_, name), message);
}

void FieldReader::Adopt(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

std::vector<std::string> FieldReader::UnreadFields() const {
  std::vector<std::string> names;
  for (const auto& member : object_) {
    const std::string_view name = member.key();
    if (!looked_for_.contains(name)) names.emplace_back(name);
  }
  return names;
}

}  // namespace tandem::api

#include "base/json.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <string>

namespace tandem {
namespace {

using boost::json::error_code;
using boost::json::string_view;

/// Builds a value out of what the parser finds, as Boost.JSON's own handler does but for doubles,
/// whose text it reads itself.
struct ExactHandler {
  static constexpr size_t max_object_size = boost::json::object::max_size();
  static constexpr size_t max_array_size = boost::json::array::max_size();
  static constexpr size_t max_key_size = boost::json::string::max_size();
  static constexpr size_t max_string_size = boost::json::string::max_size();

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(size_t members, error_code&) {
    stack.push_object(members);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t elements, error_code&) {
    stack.push_array(elements);
    return true;
  }
  bool on_key_part(string_view part, size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_key(string_view rest, size_t, error_code&) {
    stack.push_key(rest);
    return true;
  }
  bool on_string_part(string_view part, size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(string_view rest, size_t, error_code&) {
    stack.push_string(rest);
    return true;
  }
  bool on_number_part(string_view part, error_code&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t value, string_view, error_code&) {
    number.clear();
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(uint64_t value, string_view, error_code&) {
    number.clear();
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double rounded, string_view rest, error_code&) {
    number.append(rest.data(), rest.size());
    double exact = 0;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), exact);
    // Beyond the range of a double nothing is exact.
    stack.push_double(failed == std::errc() ? exact : rounded);
    number.clear();
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  boost::json::value_stack stack;
  std::string number;
};

}  // namespace

std::optional<boost::json::value> ParseExactJson(std::string_view text) {
  boost::json::basic_parser<ExactHandler> parser{boost::json::parse_options()};
  parser.handler().stack.reset();
  error_code error;
  const size_t parsed = parser.write_some(false, text.data(), text.size(), error);
  if (error || text.find_first_not_of(" \t\r\n", parsed) != std::string_view::npos) {
    return std::nullopt;
  }
  return parser.handler().stack.release();
}

bool IsWritable(const boost::json::value& value) {
  if (value.is_double()) return std::isfinite(value.get_double());
  if (value.is_array()) return std::ranges::all_of(value.get_array(), IsWritable);
  if (!value.is_object()) return true;
  return std::ranges::all_of(value.get_object(),
                             [](const auto& member) { return IsWritable(member.value()); });
}

}  // namespace tandem

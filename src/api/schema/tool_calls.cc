#include "api/schema/tool_calls.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <string>
#include <utility>

namespace tandem::api {
namespace {

/// {"type": "function", "function": {"name": ...}}, which tools and calls have in common.
bool NamesFunction(const boost::json::value& value) {
  if (!value.is_object()) return false;
  const boost::json::value* type = value.get_object().if_contains("type");
  const boost::json::value* function = value.get_object().if_contains("function");
  if (type != nullptr && *type != "function") return false;
  if (function == nullptr || !function->is_object()) return false;
  const boost::json::value* name = function->get_object().if_contains("name");
  return name != nullptr && name->is_string();
}

/// Fails with the first element that is no function; an empty list if there is one.
boost::json::array ReadFunctions(FieldReader& fields, const std::string& name,
                                 const std::string& path) {
  constexpr std::string_view kAccepted =
      R"(a list of {"type": "function", "function": {"name": ...}})";
  const boost::json::value* found = fields.Find(name);
  if (found == nullptr) return {};
  if (!found->is_array()) {
    fields.Fail(name, kAccepted);
    return {};
  }
  const boost::json::array& list = found->get_array();
  for (size_t i = 0; i < list.size(); ++i) {
    if (NamesFunction(list[i])) continue;
    fields.FailWith(name, fmt::format("{}{} must be {}, got {} as element {}", path, name,
                                      kAccepted, Quote(list[i]), i));
    return {};
  }
  return list;
}

/// Makes an object of the arguments' text, and an empty one of nothing. False if it is none.
bool ParseArguments(boost::json::object& function) {
  boost::json::value& arguments = function["arguments"];
  if (arguments.is_string() && !arguments.get_string().empty()) {
    boost::json::error_code error;
    arguments = boost::json::parse(arguments.get_string(), error);
    if (error) return false;
  }
  if (arguments.is_null() || arguments == "") arguments.emplace_object();
  return arguments.is_object();
}

}  // namespace

boost::json::array ReadTools(FieldReader& fields) { return ReadFunctions(fields, "tools", ""); }

boost::json::array ReadToolCalls(FieldReader& fields, const std::string& path) {
  boost::json::array calls = ReadFunctions(fields, "tool_calls", path);
  for (size_t i = 0; i < calls.size(); ++i) {
    boost::json::object& function = calls[i].at("function").as_object();
    const boost::json::value given =
        function.contains("arguments") ? function.at("arguments") : boost::json::value();
    if (ParseArguments(function)) continue;
    fields.FailWith("tool_calls",
                    fmt::format("{}tool_calls[{}].function.arguments must be a JSON object or its "
                                "text, got {}",
                                path, i, Quote(given)));
    break;
  }
  return calls;
}

}  // namespace tandem::api

#include "model/chat_template/json_value.h"

#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/render_budget.h"
#include "model/chat_template/source_position.h"

namespace tandem::model::jinja {
namespace {

absl::StatusOr<Value> Convert(const boost::json::value& json, int depth) {
  if (depth > RenderBudget::kMaxValueDepth) {
    return Problem("a variable is nested deeper than 100 levels");
  }
  switch (json.kind()) {
    case boost::json::kind::null:
      return Value();
    case boost::json::kind::bool_:
      return json.get_bool();
    case boost::json::kind::int64:
      return int64_t{json.get_int64()};
    case boost::json::kind::uint64:
      return static_cast<double>(json.get_uint64());
    case boost::json::kind::double_:
      return json.get_double();
    case boost::json::kind::string:
      return std::string_view(json.get_string().data(), json.get_string().size());
    case boost::json::kind::array: {
      std::vector<Value> elements;
      elements.reserve(json.get_array().size());
      for (const boost::json::value& element : json.get_array()) {
        ASSIGN_OR_RETURN(Value value, Convert(element, depth + 1));
        elements.push_back(std::move(value));
      }
      return MakeList(std::move(elements));
    }
    case boost::json::kind::object: {
      std::vector<DictValue::Member> members;
      members.reserve(json.get_object().size());
      for (const auto& member : json.get_object()) {
        ASSIGN_OR_RETURN(Value value, Convert(member.value(), depth + 1));
        members.emplace_back(std::string(member.key().data(), member.key().size()),
                             std::move(value));
      }
      return MakeDict(std::move(members));
    }
  }
  return Value();
}

}  // namespace

absl::StatusOr<Value> FromJson(const boost::json::value& json) { return Convert(json, 1); }

}  // namespace tandem::model::jinja

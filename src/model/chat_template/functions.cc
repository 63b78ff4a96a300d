#include "model/chat_template/functions.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <ctime>
#include <string>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/value_text.h"

namespace tandem::model::jinja {
namespace {

absl::StatusOr<Value> RaiseException(Runtime& runtime, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"message"}, 1));
  ASSIGN_OR_RETURN(const std::string message, ToText(*bound[0], runtime.budget()));
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<Value> StrftimeNow(Runtime& runtime, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"format"}, 1));
  ASSIGN_OR_RETURN(const std::string_view format, StringArgument(bound[0], "format"));
  const std::time_t now = std::chrono::system_clock::to_time_t(runtime.now());
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 1024> text;
  const size_t size = std::strftime(text.data(), text.size(), std::string(format).c_str(), &local);
  if (size == 0 && !format.empty()) {
    return Problem(fmt::format("strftime_now: the format \"{}\" gives no text of up to {} bytes",
                               format.substr(0, 40), text.size()));
  }
  return Value(std::string_view(text.data(), size));
}

absl::StatusOr<Value> Range(Runtime& runtime, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"start", "stop", "step"}, 1));
  const bool has_stop = bound[1] != nullptr;
  ASSIGN_OR_RETURN(const int64_t first, IntegerArgument(bound[0], "start", 0));
  ASSIGN_OR_RETURN(const int64_t second, IntegerArgument(bound[1], "stop", 0));
  ASSIGN_OR_RETURN(const int64_t step, IntegerArgument(bound[2], "step", 1));
  if (step == 0) return Problem("range: the step is 0");
  int64_t at = has_stop ? first : 0;
  const int64_t stop = has_stop ? second : first;
  std::vector<Value> elements;
  while (step > 0 ? at < stop : at > stop) {
    if (elements.size() >= RenderBudget::kMaxElements) {
      return Problem("range: more than a million elements");
    }
    elements.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return runtime.List(std::move(elements));
}

absl::StatusOr<Value> MakeNamespace(Runtime& runtime, const Arguments& arguments) {
  Namespace* space = runtime.NewNamespace();
  if (!arguments.positional().empty()) {
    const DictValue* dict = arguments.positional()[0].AsDict();
    if (dict == nullptr || arguments.positional().size() > 1) {
      return Problem("namespace: accepted: a dict and keyword arguments");
    }
    for (const auto& [name, value] : dict->members()) space->Set(name, value);
  }
  for (const auto& [name, value] : arguments.keyword()) space->Set(name, value);
  return space;
}

absl::StatusOr<Value> Dict(Runtime& runtime, const Arguments& arguments) {
  std::vector<DictValue::Member> members;
  if (!arguments.positional().empty()) {
    const DictValue* dict = arguments.positional()[0].AsDict();
    if (dict == nullptr || arguments.positional().size() > 1) {
      return Problem("dict: accepted: a dict and keyword arguments");
    }
    members = dict->members();
  }
  members.insert(members.end(), arguments.keyword().begin(), arguments.keyword().end());
  return runtime.Dict(std::move(members));
}

constexpr Function kFunctions[] = {
    {"raise_exception", RaiseException},
    {"strftime_now", StrftimeNow},
    {"range", Range},
    {"namespace", MakeNamespace},
    {"dict", Dict},
};

}  // namespace

const Function* FindFunction(std::string_view name) {
  for (const Function& function : kFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

}  // namespace tandem::model::jinja

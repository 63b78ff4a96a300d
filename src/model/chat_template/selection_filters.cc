#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/filters.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/tests.h"

namespace tandem::model::jinja {
namespace {

using Result = absl::StatusOr<Value>;

/// What selection and map go through: nothing for a value that counts as false, even for one that
/// cannot be iterated over, like none.
absl::StatusOr<std::vector<Value>> ElementsIfTrue(Runtime& runtime, const Value& value) {
  if (!value.IsTrue()) return std::vector<Value>();
  return Elements(runtime, value);
}

/// Whether an element fulfils the test that `arguments` name first; its truth value without one.
absl::StatusOr<bool> Fulfils(Runtime& runtime, const Value& element, const Arguments& arguments) {
  if (arguments.positional().empty()) return element.IsTrue();
  ASSIGN_OR_RETURN(const std::string_view name, StringArgument(&arguments.positional()[0], "test"));
  const Test* test = FindTest(name);
  if (test == nullptr) return Problem(fmt::format("there is no test \"{}\"", name));
  return test->holds(runtime, element, arguments.WithoutFirst(1));
}

/// Keeps the elements for which the test of the element, or of its attribute, gives `kKept`.
template <bool kOfAttribute, bool kKept>
Result Select(Runtime& runtime, const Value& value, const Arguments& arguments) {
  if (kOfAttribute && arguments.positional().empty()) {
    return Problem("the argument \"attribute\" is missing");
  }
  const Arguments test = arguments.WithoutFirst(kOfAttribute ? 1 : 0);
  ASSIGN_OR_RETURN(std::vector<Value> elements, ElementsIfTrue(runtime, value));
  std::vector<Value> kept;
  for (Value& element : elements) {
    Value tested = element;
    if (kOfAttribute) {
      ASSIGN_OR_RETURN(tested, GetPath(element, arguments.positional()[0]));
    }
    ASSIGN_OR_RETURN(const bool fulfils, Fulfils(runtime, tested, test));
    if (fulfils == kKept) kept.push_back(std::move(element));
  }
  return runtime.List(std::move(kept));
}

Result MapAttribute(Runtime& runtime, std::vector<Value> elements, const Arguments& arguments) {
  const Arguments keywords({}, arguments.keyword());
  ASSIGN_OR_RETURN(const auto bound, keywords.Bind({"attribute", "default"}));
  for (Value& element : elements) {
    ASSIGN_OR_RETURN(element, GetPath(element, *bound[0]));
    if (element.IsUndefined() && bound[1] != nullptr) element = *bound[1];
  }
  return runtime.List(std::move(elements));
}

/// map('filter', arguments...) or map(attribute='name', default=...).
Result Map(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(std::vector<Value> elements, ElementsIfTrue(runtime, value));
  if (arguments.positional().empty()) {
    if (arguments.keyword().empty() || arguments.keyword()[0].first != "attribute") {
      return Problem("map: accepted: the name of a filter, or attribute=");
    }
    return MapAttribute(runtime, std::move(elements), arguments);
  }
  ASSIGN_OR_RETURN(const std::string_view name,
                   StringArgument(&arguments.positional()[0], "filter"));
  const Filter* filter = FindFilter(name);
  if (filter == nullptr) return Problem(fmt::format("there is no filter \"{}\"", name));
  const RenderBudget::Recursion recursion(runtime.budget());
  RETURN_IF_ERROR(recursion.Check());
  const Arguments rest = arguments.WithoutFirst(1);
  for (Value& element : elements) {
    ASSIGN_OR_RETURN(element, filter->apply(runtime, element, rest));
  }
  return runtime.List(std::move(elements));
}

constexpr Filter kFilters[] = {
    {.name = "select", .apply = Select<false, true>, .test_argument = 0},
    {.name = "reject", .apply = Select<false, false>, .test_argument = 0},
    {.name = "selectattr", .apply = Select<true, true>, .test_argument = 1},
    {.name = "rejectattr", .apply = Select<true, false>, .test_argument = 1},
    {.name = "map", .apply = Map, .filter_argument = 0},
};

}  // namespace

std::span<const Filter> SelectionFilters() { return kFilters; }

}  // namespace tandem::model::jinja

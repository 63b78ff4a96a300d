#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/bounded_text.h"
#include "model/chat_template/filters.h"
#include "model/chat_template/number.h"
#include "model/chat_template/operators.h"
#include "model/chat_template/text_functions.h"
#include "model/chat_template/value_text.h"

namespace tandem::model::jinja {
namespace {

using Result = absl::StatusOr<Value>;

Result LengthFilter(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(const int64_t length, Length(value));
  return length;
}

template <bool kLast>
Result End(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(runtime, value));
  if (elements.empty()) return Value(Undefined{"the sequence is empty"});
  return kLast ? elements.back() : elements.front();
}

Result List(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(runtime, value));
  return runtime.List(std::move(elements));
}

Result Reverse(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(runtime, value));
  std::reverse(elements.begin(), elements.end());
  if (value.AsString() == nullptr) return runtime.List(std::move(elements));
  std::string reversed;
  for (const Value& character : elements) reversed += *character.AsString();
  return runtime.Text(std::move(reversed));
}

Result Join(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"d", "attribute"}));
  std::string separator;
  if (bound[0] != nullptr) {
    ASSIGN_OR_RETURN(separator, ToText(*bound[0], runtime.budget()));
  }
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(runtime, value));
  BoundedText joined;
  bool first = true;
  for (Value element : elements) {
    if (bound[1] != nullptr) {
      ASSIGN_OR_RETURN(element, GetPath(element, *bound[1]));
    }
    if (!first) joined.Append(separator);
    first = false;
    ASSIGN_OR_RETURN(const std::string text, ToText(element, runtime.budget()));
    joined.Append(text);
  }
  ASSIGN_OR_RETURN(std::string text, joined.Take(runtime.budget()));
  return Value(std::move(text));
}

Result ItemsFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  if (value.IsUndefined()) return runtime.List({});
  if (value.AsDict() == nullptr) {
    return Problem(
        fmt::format("a value of type {} has no items; accepted: a dict", value.TypeName()));
  }
  return Items(runtime, *value.AsDict());
}

/// An element together with what it is ordered by.
struct Keyed {
  Value key;
  Value element;
};

/// The keys are the elements, or their attribute; texts in lower case unless `case_sensitive`.
absl::StatusOr<std::vector<Keyed>> WithKeys(Runtime& runtime, const Value& value,
                                            const Value* attribute, bool case_sensitive) {
  ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(runtime, value));
  std::vector<Keyed> keyed;
  keyed.reserve(elements.size());
  for (Value& element : elements) {
    Value key = element;
    if (attribute != nullptr && !attribute->IsNone()) {
      ASSIGN_OR_RETURN(key, GetPath(element, *attribute));
    }
    if (const std::string* text = key.AsString(); text != nullptr && !case_sensitive) {
      ASSIGN_OR_RETURN(key, runtime.Text(Lower(*text)));
    }
    keyed.push_back({std::move(key), std::move(element)});
  }
  return keyed;
}

/// Orders by keys, which have to be all numbers or all texts.
absl::Status SortByKey(Runtime& runtime, bool reverse, std::vector<Keyed>* keyed) {
  const auto all = [&](auto fulfils) {
    return std::all_of(keyed->begin(), keyed->end(),
                       [&](const Keyed& k) { return fulfils(k.key); });
  };
  const bool numbers = all([](const Value& key) { return AsNumber(key).has_value(); });
  const bool texts = all([](const Value& key) { return key.AsString() != nullptr; });
  if (!numbers && !texts) return Problem("the elements have no order; accepted: numbers or texts");
  int64_t steps = 0;
  for (size_t left = keyed->size(); left > 1; left /= 2)
    steps += static_cast<int64_t>(keyed->size());
  RETURN_IF_ERROR(runtime.budget().Step(steps));
  const auto is_less = [&](const Keyed& a, const Keyed& b) {
    return numbers ? AsNumber(a.key)->real < AsNumber(b.key)->real
                   : *a.key.AsString() < *b.key.AsString();
  };
  std::stable_sort(keyed->begin(), keyed->end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? is_less(b, a) : is_less(a, b);
  });
  return absl::OkStatus();
}

bool IsSet(const Value* argument) { return argument != nullptr && argument->IsTrue(); }

Result Sort(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"reverse", "case_sensitive", "attribute"}));
  ASSIGN_OR_RETURN(std::vector<Keyed> keyed, WithKeys(runtime, value, bound[2], IsSet(bound[1])));
  RETURN_IF_ERROR(SortByKey(runtime, IsSet(bound[0]), &keyed));
  std::vector<Value> sorted;
  for (Keyed& k : keyed) sorted.push_back(std::move(k.element));
  return runtime.List(std::move(sorted));
}

Result DictSort(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"case_sensitive", "by", "reverse"}));
  ASSIGN_OR_RETURN(const std::string_view by, StringArgument(bound[1], "by", "key"));
  if (by != "key" && by != "value") {
    return Problem(fmt::format("dictsort: by is \"{}\"; accepted: key or value", by));
  }
  ASSIGN_OR_RETURN(const Value items, ItemsFilter(runtime, value, Arguments()));
  const Value position(int64_t{by == "value"});
  ASSIGN_OR_RETURN(std::vector<Keyed> keyed, WithKeys(runtime, items, &position, IsSet(bound[0])));
  RETURN_IF_ERROR(SortByKey(runtime, IsSet(bound[2]), &keyed));
  std::vector<Value> sorted;
  for (Keyed& k : keyed) sorted.push_back(std::move(k.element));
  return runtime.List(std::move(sorted));
}

Result Unique(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"case_sensitive", "attribute"}));
  ASSIGN_OR_RETURN(std::vector<Keyed> keyed, WithKeys(runtime, value, bound[1], IsSet(bound[0])));
  std::vector<Value> seen;
  std::vector<Value> unique;
  for (Keyed& k : keyed) {
    bool is_new = true;
    for (const Value& other : seen) {
      ASSIGN_OR_RETURN(const bool equal, IsEqual(runtime, k.key, other));
      if (equal) is_new = false;
    }
    if (!is_new) continue;
    seen.push_back(std::move(k.key));
    unique.push_back(std::move(k.element));
  }
  return runtime.List(std::move(unique));
}

template <bool kMost>
Result Extreme(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"case_sensitive", "attribute"}));
  ASSIGN_OR_RETURN(const std::vector<Keyed> keyed,
                   WithKeys(runtime, value, bound[1], IsSet(bound[0])));
  if (keyed.empty()) return Value(Undefined{"the sequence is empty"});
  const Keyed* best = &keyed[0];
  for (const Keyed& k : keyed) {
    ASSIGN_OR_RETURN(const bool better,
                     kMost ? IsLess(runtime, best->key, k.key) : IsLess(runtime, k.key, best->key));
    if (better) best = &k;
  }
  return best->element;
}

Result Sum(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"attribute", "start"}));
  Value sum = bound[1] == nullptr ? Value(int64_t{0}) : *bound[1];
  ASSIGN_OR_RETURN(const std::vector<Keyed> keyed, WithKeys(runtime, value, bound[0], true));
  for (const Keyed& k : keyed) {
    ASSIGN_OR_RETURN(sum, Apply(runtime, BinaryOperator::kAdd, sum, k.key));
  }
  return sum;
}

constexpr Filter kFilters[] = {
    {"length", LengthFilter}, {"count", LengthFilter},
    {"first", End<false>},    {"last", End<true>},
    {"list", List},           {"reverse", Reverse},
    {"join", Join},           {"items", ItemsFilter},
    {"sort", Sort},           {"dictsort", DictSort},
    {"unique", Unique},       {"min", Extreme<false>},
    {"max", Extreme<true>},   {"sum", Sum},
};

}  // namespace

std::span<const Filter> SequenceFilters() { return kFilters; }

}  // namespace tandem::model::jinja

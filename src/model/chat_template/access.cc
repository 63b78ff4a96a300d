#include "model/chat_template/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "base/status.h"
#include "model/chat_template/loop_state.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/text_functions.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model::jinja {
namespace {

Undefined Missing(const Value& object, std::string_view name) {
  return {fmt::format("{} has no {}", object.TypeName(), name)};
}

/// Python's position from a maybe negative index.
std::optional<size_t> Position(int64_t index, size_t size) {
  const int64_t signed_size = static_cast<int64_t>(size);
  if (index < 0) index += signed_size;
  if (index < 0 || index >= signed_size) return std::nullopt;
  return static_cast<size_t>(index);
}

std::optional<int64_t> AsIndex(const Value& value) {
  if (const int64_t* integer = value.AsInteger()) return *integer;
  if (const bool* flag = value.AsBool()) return *flag ? 1 : 0;
  return std::nullopt;
}

/// The positions from, from + stride, ... before `to`.
struct SliceRange {
  int64_t from;
  int64_t to;
  int64_t stride;
};

absl::StatusOr<SliceRange> ResolveSlice(const Value& start, const Value& stop, const Value& step,
                                        int64_t length) {
  for (const Value* bound : {&start, &stop, &step}) {
    if (!bound->IsNone() && !AsIndex(*bound)) {
      return Problem(
          fmt::format("a slice's bound is a {}; accepted: an integer", bound->TypeName()));
    }
  }
  const int64_t stride = std::clamp<int64_t>(AsIndex(step).value_or(1), -length - 1, length + 1);
  if (stride == 0) return Problem("a slice's step is 0");
  const int64_t least = stride > 0 ? 0 : -1;
  const int64_t most = stride > 0 ? length : length - 1;
  const auto resolve = [&](const Value& bound, int64_t open) {
    const std::optional<int64_t> index = AsIndex(bound);
    if (!index) return open;
    const int64_t limited = std::clamp<int64_t>(*index, -length - 1, length);
    return std::clamp(limited < 0 ? limited + length : limited, least, most);
  };
  return SliceRange{resolve(start, stride > 0 ? least : most),
                    resolve(stop, stride > 0 ? most : least), stride};
}

/// The elements in a range.
template <typename Element>
std::vector<Element> Select(const std::vector<Element>& elements, const SliceRange& range) {
  std::vector<Element> selected;
  for (int64_t at = range.from; range.stride > 0 ? at < range.to : at > range.to;
       at += range.stride) {
    selected.push_back(elements[static_cast<size_t>(at)]);
  }
  return selected;
}

/// The text from its `count`-th character on.
std::string_view SkipCharacters(std::string_view text, int64_t count) {
  for (; count > 0 && !text.empty(); --count) text.remove_prefix(FirstCharacter(text).size);
  return text;
}

absl::StatusOr<std::string> SliceText(Runtime& runtime, std::string_view text,
                                      const SliceRange& range) {
  if (range.stride == 1) {
    if (range.from >= range.to) return std::string();
    const std::string_view tail = SkipCharacters(text, range.from);
    return std::string(
        tail.substr(0, tail.size() - SkipCharacters(tail, range.to - range.from).size()));
  }
  RETURN_IF_ERROR(runtime.budget().Elements(text.size()));
  std::string part;
  for (const std::string_view character : Select(Characters(text), range)) part += character;
  return part;
}

}  // namespace

absl::StatusOr<Value> GetAttribute(const Value& object, std::string_view name) {
  if (const Undefined* undefined = object.AsUndefined()) {
    return Problem(fmt::format("cannot take .{} of an undefined value: {}", name, undefined->hint));
  }
  if (const DictValue* dict = object.AsDict()) {
    if (const Value* found = dict->Find(name)) return *found;
  } else if (const Namespace* space = object.AsNamespace()) {
    if (const Value* found = space->Find(name)) return *found;
  } else if (const LoopState* loop = object.AsLoop()) {
    return loop->Attribute(name);
  }
  return Missing(object, name);
}

absl::StatusOr<Value> GetElement(const Value& object, const Value& index) {
  if (const std::string* name = index.AsString()) return GetAttribute(object, *name);
  if (const Undefined* undefined = object.AsUndefined()) {
    return Problem(fmt::format("cannot index an undefined value: {}", undefined->hint));
  }
  const std::optional<int64_t> number = AsIndex(index);
  if (!number) return Missing(object, fmt::format("element of type {}", index.TypeName()));
  if (const ListValue* list = object.AsList()) {
    if (const auto position = Position(*number, list->elements().size())) {
      return list->elements()[*position];
    }
  } else if (const std::string* text = object.AsString()) {
    const auto position = Position(*number, static_cast<size_t>(CharacterCount(*text)));
    if (position) {
      const std::string_view tail = SkipCharacters(*text, static_cast<int64_t>(*position));
      return tail.substr(0, FirstCharacter(tail).size);
    }
  }
  return Missing(object, fmt::format("element {}", *number));
}

absl::StatusOr<Value> GetPath(const Value& object, const Value& path) {
  const std::string* names = path.AsString();
  if (names == nullptr) return GetElement(object, path);
  Value value = object;
  std::string_view rest = *names;
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view name = rest.substr(0, dot);
    int64_t number = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data(), end, number);
    if (!name.empty() && parsed.ec == std::errc() && parsed.ptr == end) {
      ASSIGN_OR_RETURN(value, GetElement(value, number));
    } else {
      ASSIGN_OR_RETURN(value, GetAttribute(value, name));
    }
    if (dot == rest.npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

absl::StatusOr<Value> GetSlice(Runtime& runtime, const Value& object, const Value& start,
                               const Value& stop, const Value& step) {
  if (const ListValue* list = object.AsList()) {
    ASSIGN_OR_RETURN(
        const SliceRange range,
        ResolveSlice(start, stop, step, static_cast<int64_t>(list->elements().size())));
    return runtime.List(Select(list->elements(), range));
  }
  if (const std::string* text = object.AsString()) {
    ASSIGN_OR_RETURN(const SliceRange range,
                     ResolveSlice(start, stop, step, CharacterCount(*text)));
    ASSIGN_OR_RETURN(std::string part, SliceText(runtime, *text, range));
    return runtime.Text(std::move(part));
  }
  return Problem(fmt::format("cannot slice a value of type {}", object.TypeName()));
}

absl::StatusOr<std::vector<Value>> Elements(Runtime& runtime, const Value& value) {
  std::vector<Value> elements;
  if (value.IsUndefined()) return elements;
  if (const ListValue* list = value.AsList()) {
    elements = list->elements();
  } else if (const DictValue* dict = value.AsDict()) {
    for (const auto& [key, member] : dict->members()) elements.emplace_back(key);
  } else if (const std::string* text = value.AsString()) {
    if (text->size() > RenderBudget::kMaxElements) {
      return Problem("the text is too long to be visited character by character");
    }
    for (const std::string_view character : Characters(*text)) elements.emplace_back(character);
  } else {
    return Problem(fmt::format("a value of type {} cannot be iterated over", value.TypeName()));
  }
  RETURN_IF_ERROR(runtime.budget().Elements(elements.size()));
  return elements;
}

absl::StatusOr<Value> Items(Runtime& runtime, const DictValue& dict) {
  std::vector<Value> pairs;
  pairs.reserve(dict.members().size());
  for (const auto& [key, value] : dict.members()) pairs.push_back(MakeList({key, value}));
  return runtime.List(std::move(pairs));
}

absl::StatusOr<Value> ReplaceText(Runtime& runtime, std::string_view text, std::string_view from,
                                  std::string_view to, int64_t most) {
  int64_t count = CountOccurrences(text, from);
  if (most >= 0) count = std::min(count, most);
  const size_t shorter = static_cast<size_t>(count) * from.size();
  if (to.size() > RenderBudget::kMaxTextBytes) return Problem("a text gets longer than 64 MiB");
  RETURN_IF_ERROR(
      runtime.budget().Text(text.size() - shorter + static_cast<size_t>(count) * to.size()));
  return Value(Replace(text, from, to, most));
}

absl::StatusOr<int64_t> Length(const Value& value) {
  if (value.IsUndefined()) return 0;
  if (const ListValue* list = value.AsList()) return static_cast<int64_t>(list->elements().size());
  if (const DictValue* dict = value.AsDict()) return static_cast<int64_t>(dict->members().size());
  if (const std::string* text = value.AsString()) return CharacterCount(*text);
  return Problem(fmt::format("a value of type {} has no length", value.TypeName()));
}

}  // namespace tandem::model::jinja

#include "model/chat_template/value.h"

#include <algorithm>
#include <array>

namespace tandem::model::jinja {

bool Value::IsTrue() const {
  if (IsUndefined() || IsNone()) return false;
  if (const bool* value = AsBool()) return *value;
  if (const int64_t* value = AsInteger()) return *value != 0;
  if (const double* value = AsFloat()) return *value != 0;
  if (const std::string* value = AsString()) return !value->empty();
  if (const ListValue* value = AsList()) return !value->elements().empty();
  if (const DictValue* value = AsDict()) return !value->members().empty();
  return true;
}

std::string_view Value::TypeName() const {
  static constexpr std::array<std::string_view, 12> kNames = {
      "NoneType", "Undefined", "bool",      "int",         "float", "str",
      "list",     "dict",      "namespace", "LoopContext", "macro", "function"};
  static_assert(std::variant_size_v<decltype(data_)> == kNames.size());
  return kNames[data_.index()];
}

int Value::depth() const {
  if (const ListValue* value = AsList()) return value->depth();
  if (const DictValue* value = AsDict()) return value->depth();
  return 0;
}

ListValue::ListValue(std::vector<Value> elements) : elements_(std::move(elements)) {
  for (const Value& element : elements_) depth_ = std::max(depth_, element.depth() + 1);
}

DictValue::DictValue(std::vector<Member> members) {
  members_.reserve(members.size());
  for (Member& member : members) {
    const auto [position, is_new] = positions_.try_emplace(member.first, members_.size());
    depth_ = std::max(depth_, member.second.depth() + 1);
    if (is_new) {
      members_.push_back(std::move(member));
    } else {
      members_[position->second].second = std::move(member.second);
    }
  }
}

const Value* DictValue::Find(std::string_view key) const {
  const auto found = positions_.find(key);
  return found == positions_.end() ? nullptr : &members_[found->second].second;
}

Value MakeList(std::vector<Value> elements) {
  return std::make_shared<const ListValue>(std::move(elements));
}

Value MakeDict(std::vector<DictValue::Member> members) {
  return std::make_shared<const DictValue>(std::move(members));
}

const Value* Namespace::Find(std::string_view name) const {
  const auto found = attributes_.find(name);
  return found == attributes_.end() ? nullptr : &found->second;
}

void Namespace::Set(std::string_view name, Value value) {
  attributes_.insert_or_assign(std::string(name), std::move(value));
}

}  // namespace tandem::model::jinja

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/string_hash.h"

namespace tandem::model::jinja {

class Value;
class ListValue;
class DictValue;
class Namespace;
class LoopState;
struct MacroDefinition;
struct Function;

/// What a missing variable, key or element gives. `hint` says which.
struct Undefined {
  std::string hint;
};
struct None {};

/// A value in a template: what Python would have there. Lists, dicts and strings cannot be changed
/// and are shared, so copies are cheap. Namespaces, loops, macros and functions belong to the
/// rendering.
class Value {
 public:
  Value() : data_(None{}) {}
  Value(Undefined undefined) : data_(std::move(undefined)) {}
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(std::string value) : data_(std::make_shared<const std::string>(std::move(value))) {}
  Value(std::string_view value) : Value(std::string(value)) {}
  Value(const char* value) : Value(std::string(value)) {}
  Value(std::shared_ptr<const ListValue> value) : data_(std::move(value)) {}
  Value(std::shared_ptr<const DictValue> value) : data_(std::move(value)) {}
  Value(Namespace* value) : data_(value) {}
  Value(std::shared_ptr<const LoopState> value) : data_(std::move(value)) {}
  Value(const MacroDefinition* value) : data_(value) {}
  Value(const Function* value) : data_(value) {}

  bool IsUndefined() const { return Is<Undefined>(); }
  bool IsNone() const { return Is<None>(); }
  bool IsCallable() const { return Is<const MacroDefinition*>() || Is<const Function*>(); }

  /// Null if the value is of another type.
  const Undefined* AsUndefined() const { return std::get_if<Undefined>(&data_); }
  const bool* AsBool() const { return std::get_if<bool>(&data_); }
  const int64_t* AsInteger() const { return std::get_if<int64_t>(&data_); }
  const double* AsFloat() const { return std::get_if<double>(&data_); }
  const std::string* AsString() const { return Shared<std::string>(); }
  const ListValue* AsList() const { return Shared<ListValue>(); }
  const DictValue* AsDict() const { return Shared<DictValue>(); }
  Namespace* AsNamespace() const { return Pointer<Namespace*>(); }
  const LoopState* AsLoop() const { return Shared<LoopState>(); }
  const MacroDefinition* AsMacro() const { return Pointer<const MacroDefinition*>(); }
  const Function* AsFunction() const { return Pointer<const Function*>(); }

  /// Python's truth value.
  bool IsTrue() const;
  /// Python's name of the type ("str", "dict"), for messages.
  std::string_view TypeName() const;
  /// Levels of lists and dicts, one inside the other; 0 for the rest.
  int depth() const;

 private:
  template <typename T>
  bool Is() const {
    return std::holds_alternative<T>(data_);
  }
  template <typename T>
  const T* Shared() const {
    const auto* pointer = std::get_if<std::shared_ptr<const T>>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }
  template <typename T>
  T Pointer() const {
    const T* pointer = std::get_if<T>(&data_);
    return pointer == nullptr ? nullptr : *pointer;
  }

  std::variant<None, Undefined, bool, int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const ListValue>, std::shared_ptr<const DictValue>, Namespace*,
               std::shared_ptr<const LoopState>, const MacroDefinition*, const Function*>
      data_;
};

/// A list or tuple.
class ListValue {
 public:
  explicit ListValue(std::vector<Value> elements);

  const std::vector<Value>& elements() const { return elements_; }
  int depth() const { return depth_; }

 private:
  std::vector<Value> elements_;
  int depth_ = 1;
};

/// A dict with strings as keys, in the order of insertion.
class DictValue {
 public:
  using Member = std::pair<std::string, Value>;

  /// Of members with the same key the last one's value counts.
  explicit DictValue(std::vector<Member> members);

  const std::vector<Member>& members() const { return members_; }
  /// Null if there is no such key.
  const Value* Find(std::string_view key) const;
  int depth() const { return depth_; }

 private:
  std::vector<Member> members_;
  StringMap<std::string, size_t> positions_;
  int depth_ = 1;
};

Value MakeList(std::vector<Value> elements);
Value MakeDict(std::vector<DictValue::Member> members);

/// namespace(...): the one thing a template can change.
class Namespace {
 public:
  const Value* Find(std::string_view name) const;
  void Set(std::string_view name, Value value);

 private:
  StringMap<std::string, Value> attributes_;
};

}  // namespace tandem::model::jinja

#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// Variables of a template, a loop's round or a macro's call, in front of those around it.
class Scope {
 public:
  /// `outer` may be null; it must outlive this scope.
  explicit Scope(const Scope* outer) : outer_(outer) {}

  /// Null if there is no such variable.
  const Value* Find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
      const auto found = scope->variables_.find(name);
      if (found != scope->variables_.end()) return &found->second;
    }
    return nullptr;
  }
  void Set(std::string_view name, Value value) {
    variables_.insert_or_assign(std::string(name), std::move(value));
  }

 private:
  const Scope* outer_;
  StringMap<std::string, Value> variables_;
};

}  // namespace tandem::model::jinja

#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// The variable "loop": where a for statement is among its elements.
class LoopState {
 public:
  explicit LoopState(std::vector<Value> elements) : elements_(std::move(elements)) {}

  const std::vector<Value>& elements() const { return elements_; }
  size_t index() const { return index_; }
  void set_index(size_t index) { index_ = index; }

  /// loop.name; undefined for a name that there is not.
  Value Attribute(std::string_view name) const;

 private:
  std::vector<Value> elements_;
  size_t index_ = 0;
};

}  // namespace tandem::model::jinja

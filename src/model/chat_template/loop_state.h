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
  LoopState(std::vector<Value> elements, int depth)
      : elements_(std::move(elements)), depth_(depth) {}

  const std::vector<Value>& elements() const { return elements_; }
  size_t index() const { return index_; }
  void set_index(size_t index) { index_ = index; }
  int depth() const { return depth_; }

  /// loop.name; undefined for a name that there is not.
  Value Attribute(std::string_view name) const;

 private:
  std::vector<Value> elements_;
  int depth_;  ///< 1 for an outermost loop.
  size_t index_ = 0;
};

}  // namespace tandem::model::jinja

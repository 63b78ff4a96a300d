#include "model/chat_template/loop_state.h"

#include <fmt/format.h>

namespace tandem::model::jinja {

Value LoopState::Attribute(std::string_view name) const {
  const int64_t index = static_cast<int64_t>(index_);
  const int64_t length = static_cast<int64_t>(elements_.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return length - index;
  if (name == "revindex0") return length - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == length;
  if (name == "length") return length;
  if (name == "depth") return int64_t{1};  // Counts levels of recursive loops only.
  if (name == "depth0") return int64_t{0};
  if (name == "previtem" && index > 0) return elements_[index_ - 1];
  if (name == "nextitem" && index + 1 < length) return elements_[index_ + 1];
  return Undefined{fmt::format("loop has no {}", name)};
}

}  // namespace tandem::model::jinja

#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "model/chat_template/render_budget.h"

namespace tandem::model::jinja {

/// Collects text up to the budget's limit. Writers of nested values stop when it is full: shared
/// parts would let the text grow far beyond what the values take.
class BoundedText {
 public:
  bool full() const { return text_.size() > RenderBudget::kMaxTextBytes; }
  size_t size() const { return text_.size(); }

  void Append(std::string_view text) {
    if (!full()) text_ += text;
  }
  void Append(size_t count, char c) {
    if (count > RenderBudget::kMaxTextBytes) count = RenderBudget::kMaxTextBytes + 1;
    if (!full()) text_.append(count, c);
  }

  absl::StatusOr<std::string> Take(RenderBudget& budget) {
    if (absl::Status status = budget.Text(text_.size()); !status.ok()) return status;
    return std::move(text_);
  }

 private:
  std::string text_;
};

}  // namespace tandem::model::jinja

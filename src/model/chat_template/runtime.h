#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat_template/render_budget.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

class Arguments;

/// What filters, tests and functions may use of the rendering that calls them.
class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual RenderBudget& budget() = 0;
  virtual std::chrono::system_clock::time_point now() const = 0;
  /// A namespace that lives as long as the rendering.
  virtual Namespace* NewNamespace() = 0;
  virtual absl::StatusOr<Value> CallMacro(const MacroDefinition& macro,
                                          const Arguments& arguments) = 0;

  /// A text or list within the budget.
  absl::StatusOr<Value> Text(std::string text) {
    if (absl::Status status = budget().Text(text.size()); !status.ok()) return status;
    return Value(std::move(text));
  }
  absl::StatusOr<Value> List(std::vector<Value> elements) {
    if (absl::Status status = budget().Elements(elements.size()); !status.ok()) return status;
    return Nested(MakeList(std::move(elements)));
  }
  absl::StatusOr<Value> Dict(std::vector<DictValue::Member> members) {
    if (absl::Status status = budget().Elements(members.size()); !status.ok()) return status;
    return Nested(MakeDict(std::move(members)));
  }

 private:
  absl::StatusOr<Value> Nested(Value value) {
    if (absl::Status status = budget().Nesting(value); !status.ok()) return status;
    return value;
  }
};

}  // namespace tandem::model::jinja

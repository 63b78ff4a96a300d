#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat_template/evaluator.h"
#include "model/chat_template/runtime.h"
#include "model/chat_template/scope.h"
#include "model/chat_template/statement.h"

namespace tandem::model::jinja {

/// One rendering of a template.
class Renderer : public Runtime {
 public:
  explicit Renderer(std::chrono::system_clock::time_point now) : now_(now) {}

  /// The template's own variables, to be set before Run.
  Scope& variables() { return variables_; }

  absl::StatusOr<std::string> Run(const Block& block);

  RenderBudget& budget() override { return budget_; }
  std::chrono::system_clock::time_point now() const override { return now_; }
  Namespace* NewNamespace() override;
  absl::StatusOr<Value> CallMacro(const MacroDefinition& macro,
                                  const Arguments& arguments) override;

 private:
  /// How a block ends: by its end, or by a break or continue of the loop around it.
  enum class Flow { kNormal, kBreak, kContinue };
  class StatementRunner;

  absl::StatusOr<Flow> RunBlock(const Block& block, Scope& scope);
  /// What a block prints.
  absl::StatusOr<std::string> Capture(const Block& block, Scope& scope, Flow* flow);
  absl::Status Print(std::string_view text);

  const std::chrono::system_clock::time_point now_;
  RenderBudget budget_;
  Scope variables_{nullptr};
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::string output_;
};

}  // namespace tandem::model::jinja

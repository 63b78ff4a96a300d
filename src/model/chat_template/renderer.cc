#include "model/chat_template/renderer.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/loop_state.h"
#include "model/chat_template/value_text.h"

namespace tandem::model::jinja {

/// Runs the statements of one block in one scope.
class Renderer::StatementRunner {
 public:
  StatementRunner(Renderer& renderer, Scope& scope)
      : renderer_(renderer), scope_(scope), evaluator_(renderer, scope) {}

  absl::StatusOr<Flow> operator()(const TextOutput& output) {
    RETURN_IF_ERROR(renderer_.Print(output.text));
    return Flow::kNormal;
  }

  absl::StatusOr<Flow> operator()(const ExpressionOutput& output) {
    ASSIGN_OR_RETURN(const Value value, evaluator_.Evaluate(*output.expression));
    ASSIGN_OR_RETURN(const std::string text, ToText(value, renderer_.budget_));
    RETURN_IF_ERROR(renderer_.Print(text));
    return Flow::kNormal;
  }

  absl::StatusOr<Flow> operator()(const If& statement) {
    for (const IfBranch& branch : statement.branches) {
      ASSIGN_OR_RETURN(const Value condition, evaluator_.Evaluate(*branch.condition));
      if (condition.IsTrue()) return renderer_.RunBlock(branch.body, scope_);
    }
    return renderer_.RunBlock(statement.otherwise, scope_);
  }

  absl::StatusOr<Flow> operator()(const For& statement) {
    ASSIGN_OR_RETURN(const Value iterable, evaluator_.Evaluate(*statement.iterable));
    ASSIGN_OR_RETURN(std::vector<Value> elements, Elements(renderer_, iterable));
    if (statement.filter != nullptr) {
      ASSIGN_OR_RETURN(elements, Filtered(statement, std::move(elements)));
    }
    if (elements.empty()) {
      Scope scope(&scope_);
      return renderer_.RunBlock(statement.otherwise, scope);
    }
    RETURN_IF_ERROR(RunLoop(statement, std::move(elements)));
    return Flow::kNormal;
  }

  absl::StatusOr<Flow> operator()(const Set& statement) {
    ASSIGN_OR_RETURN(const Value value, evaluator_.Evaluate(*statement.value));
    if (statement.targets.size() == 1) {
      RETURN_IF_ERROR(Assign(statement.targets[0], value));
      return Flow::kNormal;
    }
    ASSIGN_OR_RETURN(const std::vector<Value> parts, Unpack(value, statement.targets.size()));
    for (size_t i = 0; i < parts.size(); ++i) {
      RETURN_IF_ERROR(Assign(statement.targets[i], parts[i]));
    }
    return Flow::kNormal;
  }

  absl::StatusOr<Flow> operator()(const SetBlock& statement) {
    Flow flow = Flow::kNormal;
    ASSIGN_OR_RETURN(const Value value, CaptureFiltered(statement.body, statement.filters, &flow));
    RETURN_IF_ERROR(Assign(statement.target, value));
    return flow;
  }

  absl::StatusOr<Flow> operator()(const MacroDefinition& macro) {
    scope_.Set(macro.name, &macro);
    return Flow::kNormal;
  }

  absl::StatusOr<Flow> operator()(const FilterBlock& statement) {
    Flow flow = Flow::kNormal;
    ASSIGN_OR_RETURN(const Value value, CaptureFiltered(statement.body, statement.filters, &flow));
    ASSIGN_OR_RETURN(const std::string text, ToText(value, renderer_.budget_));
    RETURN_IF_ERROR(renderer_.Print(text));
    return flow;
  }

  absl::StatusOr<Flow> operator()(const Generation& statement) {
    return renderer_.RunBlock(statement.body, scope_);
  }

  absl::StatusOr<Flow> operator()(const Break&) { return Flow::kBreak; }
  absl::StatusOr<Flow> operator()(const Continue&) { return Flow::kContinue; }

 private:
  /// As many elements as there are targets.
  absl::StatusOr<std::vector<Value>> Unpack(const Value& value, size_t targets) {
    ASSIGN_OR_RETURN(std::vector<Value> parts, Elements(renderer_, value));
    if (parts.size() == targets) return parts;
    return Problem(fmt::format("cannot unpack {} values into {} variables", parts.size(), targets));
  }

  absl::Status SetTargets(const std::vector<std::string>& targets, const Value& element,
                          Scope* scope) {
    if (targets.size() == 1) {
      scope->Set(targets[0], element);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::vector<Value> parts, Unpack(element, targets.size()));
    for (size_t i = 0; i < targets.size(); ++i) scope->Set(targets[i], parts[i]);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Value>> Filtered(const For& statement, std::vector<Value> elements) {
    std::vector<Value> kept;
    for (Value& element : elements) {
      Scope scope(&scope_);
      RETURN_IF_ERROR(SetTargets(statement.targets, element, &scope));
      ASSIGN_OR_RETURN(const Value holds, Evaluator(renderer_, scope).Evaluate(*statement.filter));
      if (holds.IsTrue()) kept.push_back(std::move(element));
    }
    return kept;
  }

  absl::Status RunLoop(const For& statement, std::vector<Value> elements) {
    const auto state = std::make_shared<LoopState>(std::move(elements));
    for (size_t i = 0; i < state->elements().size(); ++i) {
      state->set_index(i);
      Scope scope(&scope_);
      scope.Set("loop", std::shared_ptr<const LoopState>(state));
      RETURN_IF_ERROR(SetTargets(statement.targets, state->elements()[i], &scope));
      ASSIGN_OR_RETURN(const Flow flow, renderer_.RunBlock(statement.body, scope));
      if (flow == Flow::kBreak) break;
    }
    return absl::OkStatus();
  }

  absl::Status Assign(const AssignmentTarget& target, const Value& value) {
    if (target.attribute.empty()) {
      scope_.Set(target.name, value);
      return absl::OkStatus();
    }
    const Value* variable = scope_.Find(target.name);
    Namespace* space = variable == nullptr ? nullptr : variable->AsNamespace();
    if (space == nullptr) {
      return Problem(fmt::format("cannot set {}.{}: {} is no namespace", target.name,
                                 target.attribute, target.name));
    }
    space->Set(target.attribute, value);
    return absl::OkStatus();
  }

  absl::StatusOr<Value> CaptureFiltered(const Block& body, const std::vector<FilterCall>& filters,
                                        Flow* flow) {
    Scope scope(&scope_);
    ASSIGN_OR_RETURN(std::string text, renderer_.Capture(body, scope, flow));
    Value value(std::move(text));
    for (const FilterCall& filter : filters) {
      ASSIGN_OR_RETURN(value, evaluator_.ApplyFilter(filter, value));
    }
    return value;
  }

  Renderer& renderer_;
  Scope& scope_;
  Evaluator evaluator_;
};

absl::StatusOr<std::string> Renderer::Run(const Block& block) {
  RETURN_IF_ERROR(RunBlock(block, variables_).status());
  return std::move(output_);
}

absl::StatusOr<Renderer::Flow> Renderer::RunBlock(const Block& block, Scope& scope) {
  StatementRunner runner(*this, scope);
  for (const Statement& statement : block) {
    absl::Status status = budget_.Step();
    if (!status.ok()) return WithPosition(std::move(status), statement.position);
    absl::StatusOr<Flow> flow = std::visit(runner, statement.node);
    if (!flow.ok()) return WithPosition(std::move(flow).status(), statement.position);
    if (*flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

absl::StatusOr<std::string> Renderer::Capture(const Block& block, Scope& scope, Flow* flow) {
  std::string before = std::exchange(output_, {});
  absl::StatusOr<Flow> result = RunBlock(block, scope);
  std::string captured = std::exchange(output_, std::move(before));
  RETURN_IF_ERROR(result.status());
  *flow = *result;
  return captured;
}

absl::Status Renderer::Print(std::string_view text) {
  if (output_.size() + text.size() > RenderBudget::kMaxTextBytes) {
    return Problem("the output gets longer than 64 MiB");
  }
  output_ += text;
  return budget_.Text(text.size());
}

Namespace* Renderer::NewNamespace() {
  namespaces_.push_back(std::make_unique<Namespace>());
  return namespaces_.back().get();
}

absl::StatusOr<Value> Renderer::CallMacro(const MacroDefinition& macro,
                                          const Arguments& arguments) {
  const RenderBudget::Recursion recursion(budget_);
  RETURN_IF_ERROR(recursion.Check());
  const auto& positional = arguments.positional();
  if (positional.size() > macro.parameters.size()) {
    return Problem(fmt::format("{} got {} arguments; accepted: at most {}", macro.name,
                               positional.size(), macro.parameters.size()));
  }
  DictValue keyword(arguments.keyword());
  size_t used_keywords = 0;
  Scope scope(&variables_);
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const MacroParameter& parameter = macro.parameters[i];
    Value value = Undefined{fmt::format("the argument {} is missing", parameter.name)};
    if (i < positional.size()) {
      value = positional[i];
    } else if (const Value* named = keyword.Find(parameter.name)) {
      value = *named;
      ++used_keywords;
    } else if (parameter.default_value != nullptr) {
      ASSIGN_OR_RETURN(value, Evaluator(*this, scope).Evaluate(*parameter.default_value));
    }
    scope.Set(parameter.name, std::move(value));
  }
  if (used_keywords != keyword.members().size()) {
    return Problem(
        fmt::format("{} got an argument that it does not know or got twice", macro.name));
  }
  Flow flow = Flow::kNormal;
  ASSIGN_OR_RETURN(std::string text, Capture(macro.body, scope, &flow));
  return Value(std::move(text));
}

}  // namespace tandem::model::jinja

#include "model/chat_template/expression_depth.h"

#include <algorithm>
#include <initializer_list>

namespace tandem::model::jinja {
namespace {

class DepthVisitor {
 public:
  int operator()(const Literal&) const { return 0; }
  int operator()(const Name&) const { return 0; }
  int operator()(const ListLiteral& list) const { return Of(list.elements); }
  int operator()(const DictLiteral& dict) const {
    int depth = 0;
    for (const auto& [key, value] : dict.members) depth = std::max(depth, Of({&key, &value}));
    return depth;
  }
  int operator()(const Unary& unary) const { return Of({&unary.operand}); }
  int operator()(const Binary& binary) const { return Of({&binary.left, &binary.right}); }
  int operator()(const ComparisonChain& chain) const {
    int depth = Of({&chain.first});
    for (const auto& [comparison, operand] : chain.rest) depth = std::max(depth, Of({&operand}));
    return depth;
  }
  int operator()(const Conditional& conditional) const {
    return Of({&conditional.condition, &conditional.value, &conditional.otherwise});
  }
  int operator()(const Attribute& attribute) const { return Of({&attribute.object}); }
  int operator()(const Subscript& subscript) const {
    return Of({&subscript.object, &subscript.index});
  }
  int operator()(const Slice& slice) const {
    return Of({&slice.object, &slice.start, &slice.stop, &slice.step});
  }
  int operator()(const Call& call) const {
    return std::max(Of({&call.callee}), Of(call.arguments));
  }
  int operator()(const FilterCall& filter) const {
    return std::max(Of({&filter.operand}), Of(filter.arguments));
  }
  int operator()(const TestCall& test) const {
    return std::max(Of({&test.operand}), Of(test.arguments));
  }

 private:
  static int Of(std::initializer_list<const ExpressionPtr*> operands) {
    int depth = 0;
    for (const ExpressionPtr* operand : operands) {
      if (*operand != nullptr) depth = std::max(depth, (*operand)->depth);
    }
    return depth;
  }
  static int Of(const std::vector<ExpressionPtr>& operands) {
    int depth = 0;
    for (const ExpressionPtr& operand : operands) depth = std::max(depth, operand->depth);
    return depth;
  }
  static int Of(const CallArguments& arguments) {
    int depth = Of(arguments.positional);
    for (const KeywordArgument& argument : arguments.keyword) {
      depth = std::max(depth, argument.value->depth);
    }
    return depth;
  }
};

}  // namespace

int DeepestOperand(const ExpressionNode& node) { return std::visit(DepthVisitor(), node); }

}  // namespace tandem::model::jinja

#pragma once

#include "model/chat_template/expression.h"

namespace tandem::model::jinja {

/// The depth of the deepest expression that is part of `node`; 0 if there is none.
int DeepestOperand(const ExpressionNode& node);

}  // namespace tandem::model::jinja

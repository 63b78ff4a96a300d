#pragma once

#include <cstdint>
#include <optional>

#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// A number as arithmetic sees it: booleans count as 0 and 1.
struct Number {
  bool is_float = false;
  int64_t integer = 0;
  double real = 0;  ///< Also of an integer.
};

/// Nothing if the value is no number.
inline std::optional<Number> AsNumber(const Value& value) {
  if (const bool* flag = value.AsBool()) return Number{false, *flag, static_cast<double>(*flag)};
  if (const int64_t* integer = value.AsInteger()) {
    return Number{false, *integer, static_cast<double>(*integer)};
  }
  if (const double* real = value.AsFloat()) return Number{true, 0, *real};
  return std::nullopt;
}

}  // namespace tandem::model::jinja

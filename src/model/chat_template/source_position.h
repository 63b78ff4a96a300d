#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tandem::model::jinja {

/// Where something stands in a template, both counted from 1; columns in bytes.
struct SourcePosition {
  int line = 1;
  int column = 1;
};

/// InvalidArgument "line 3, column 5: <problem>".
inline absl::Status ErrorAt(SourcePosition position, std::string_view problem) {
  return absl::InvalidArgumentError(
      fmt::format("line {}, column {}: {}", position.line, position.column, problem));
}

/// An error whose position is not known yet.
inline absl::Status Problem(std::string_view problem) {
  return absl::UnknownError(std::string(problem));
}

/// Gives a problem its position; other statuses stay as they are.
inline absl::Status WithPosition(absl::Status status, SourcePosition position) {
  if (status.code() != absl::StatusCode::kUnknown) return status;
  return ErrorAt(position, std::string(status.message()));
}

}  // namespace tandem::model::jinja

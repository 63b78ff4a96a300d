#pragma once

#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/chat_template/arguments.h"
#include "model/chat_template/runtime.h"

namespace tandem::model::jinja {

/// value | name(arguments)
struct Filter {
  std::string_view name;
  absl::StatusOr<Value> (*apply)(Runtime& runtime, const Value& value, const Arguments& arguments);
  /// Which positional argument names a filter or a test to apply; -1: none.
  int filter_argument = -1;
  int test_argument = -1;
};

/// Null if there is none of that name.
const Filter* FindFilter(std::string_view name);

/// The filters of each kind, each in a file of its own.
std::span<const Filter> TextFilters();
std::span<const Filter> SequenceFilters();
std::span<const Filter> SelectionFilters();
std::span<const Filter> ConversionFilters();

}  // namespace tandem::model::jinja

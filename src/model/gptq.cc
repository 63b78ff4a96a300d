#include "model/gptq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>

#include "absl/status/status.h"
#include "base/status.h"
#include "compute/weight_matrix.h"

namespace tandem::model {
namespace {

constexpr int64_t kPerWord = 8;

absl::StatusOr<WeightView> FindTensor(const WeightSource& source, const std::string& name,
                                      WeightType type, std::string_view type_name, int64_t rows,
                                      int64_t columns) {
  ASSIGN_OR_RETURN(const WeightView view, source.Find(name));
  if (view.type != type) {
    return absl::InvalidArgumentError(
        fmt::format("tensor {} has another element type; accepted: {}", name, type_name));
  }
  if (view.rows != rows || view.columns != columns) {
    return absl::InvalidArgumentError(fmt::format("tensor {} has shape [{}, {}], expected [{}, {}]",
                                                  name, view.rows, view.columns, rows, columns));
  }
  return view;
}

std::vector<int32_t> Int32s(const WeightView& view) {
  std::vector<int32_t> values(view.bytes.size() / sizeof(int32_t));
  std::memcpy(values.data(), view.bytes.data(), values.size() * sizeof(int32_t));
  return values;
}

/// The columns sorted by group; empty if they are.
absl::StatusOr<std::vector<int32_t>> ColumnOrder(const std::string& name,
                                                 const std::vector<int32_t>& groups,
                                                 int64_t group_count, int64_t group_size) {
  const auto columns = static_cast<int64_t>(groups.size());
  std::vector<int64_t> sizes(group_count);
  for (int64_t column = 0; column < columns; ++column) {
    if (groups[column] < 0 || groups[column] >= group_count) {
      return absl::InvalidArgumentError(
          fmt::format("tensor {} has the element {}; accepted: 0 to {}", name, groups[column],
                      group_count - 1));
    }
    ++sizes[groups[column]];
  }
  for (int64_t group = 0; group < group_count; ++group) {
    const int64_t expected = std::min(group_size, columns - group * group_size);
    if (sizes[group] != expected) {
      return absl::InvalidArgumentError(
          fmt::format("tensor {} puts {} columns into group {}; "
                      "accepted: {}",
                      name, sizes[group], group, expected));
    }
  }
  if (std::is_sorted(groups.begin(), groups.end())) return std::vector<int32_t>();
  std::vector<int32_t> order(columns);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return groups[a] < groups[b]; });
  return order;
}

}  // namespace

absl::StatusOr<GptqWeight> FindGptqWeight(const WeightSource& source, const std::string& layer,
                                          int64_t rows, int64_t columns, const GptqConfig& config) {
  const auto tensor = [&](std::string_view name) { return fmt::format("{}.{}", layer, name); };
  RETURN_IF_ERROR(source.Find(tensor("qweight")).status());
  if (rows % kPerWord != 0 || columns % compute::kQuantBlock != 0) {
    return absl::InvalidArgumentError(
        fmt::format("tensor {} stands for a weight [{}, {}]; accepted: multiples of {} and {}",
                    tensor("qweight"), rows, columns, kPerWord, compute::kQuantBlock));
  }
  GptqWeight weight;
  compute::GptqMatrix& matrix = weight.matrix;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.group_size =
      config.group_size == 0 ? columns : std::min<int64_t>(config.group_size, columns);
  matrix.zero_offset = config.zero_offset;
  const int64_t groups = matrix.groups();
  ASSIGN_OR_RETURN(const WeightView quants, FindTensor(source, tensor("qweight"), WeightType::kI32,
                                                       "I32", columns / kPerWord, rows));
  ASSIGN_OR_RETURN(const WeightView zeros, FindTensor(source, tensor("qzeros"), WeightType::kI32,
                                                      "I32", groups, rows / kPerWord));
  ASSIGN_OR_RETURN(const WeightView scales,
                   FindTensor(source, tensor("scales"), WeightType::kF16, "F16", groups, rows));
  matrix.quants = quants.bytes.data();
  matrix.zeros = zeros.bytes.data();
  matrix.scales = scales.bytes.data();
  const std::string order_name = tensor("g_idx");
  if (absl::IsNotFound(source.Find(order_name).status())) return weight;
  ASSIGN_OR_RETURN(const WeightView order,
                   FindTensor(source, order_name, WeightType::kI32, "I32", 1, columns));
  ASSIGN_OR_RETURN(weight.column_order,
                   ColumnOrder(order_name, Int32s(order), groups, matrix.group_size));
  return weight;
}

}  // namespace tandem::model

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compute/gptq_matrix.h"
#include "model/model_config.h"
#include "model/weight_source.h"

namespace tandem::model {

/// A layer's weight in GPTQ's 4 bits; the matrix refers to the source, and to the order beside it.
struct GptqWeight {
  compute::GptqMatrix matrix;
  std::vector<int32_t> column_order;  ///< Empty if the groups are as the columns stand.
};

/// The weight [rows, columns] of the linear layer `layer` ("model.layers.0.mlp.up_proj"), out of
/// its tensors qweight, qzeros, scales and, if it is there, g_idx. NotFound if there is no qweight;
/// InvalidArgument names the tensor, its shape or element and what is accepted.
absl::StatusOr<GptqWeight> FindGptqWeight(const WeightSource& source, const std::string& layer,
                                          int64_t rows, int64_t columns, const GptqConfig& config);

}  // namespace tandem::model

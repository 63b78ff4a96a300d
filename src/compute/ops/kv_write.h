#pragma once

#include <cstdint>

#include "compute/data_type.h"

namespace tandem::compute {

/// Rounds `count` floats to the cache's type (to nearest, ties to even).
void WriteKv(DataType type, const float* values, int64_t count, std::byte* out);

}  // namespace tandem::compute

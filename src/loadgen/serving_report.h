#pragma once

#include <string>
#include <vector>

#include "loadgen/serving_load.h"

namespace tandem::loadgen {

/// Latencies in milliseconds and throughput, a line for each load; failures below.
std::string ServingTable(const std::vector<ServingResult>& results);

/// The same as a JSON array of objects.
std::string ServingJson(const std::vector<ServingResult>& results);

}  // namespace tandem::loadgen

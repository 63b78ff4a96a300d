#pragma once

#include <string>
#include <vector>

#include "loadgen/machine_limits.h"
#include "loadgen/store_load.h"

namespace tandem::loadgen {

/// Megabytes (10^6) and objects a second, a line for each way and size.
std::string StoreTable(const std::vector<StoreFigure>& figures);

/// A line for each limit, to stand below the table.
std::string MachineTable(const MachineLimits& limits);

/// Both as one JSON object; `figures` may be empty.
std::string StoreJson(const std::vector<StoreFigure>& figures, const MachineLimits& limits);

/// Figures as text that ReadFigures takes back, for another process.
std::string WriteFigures(const std::vector<StoreFigure>& figures);
absl::StatusOr<std::vector<StoreFigure>> ReadFigures(const std::string& text);

}  // namespace tandem::loadgen

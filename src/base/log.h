#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "absl/status/status.h"

namespace tandem {

/// Sends the process's log to standard error, one line a message: time, level, `role` and text.
/// `role` names the process among several ("prefiller"); empty leaves it out. Call it once, before
/// threads start. Messages go through spdlog: spdlog::info("... {}", value).
void StartLog(const std::string& role);

/// Sets the least level that is printed: trace, debug, info, warning, error or off.
absl::Status SetLogLevel(const std::string& level);

}  // namespace tandem

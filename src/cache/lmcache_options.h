#pragma once

#include "absl/status/status.h"
#include "cache/lmcache_config.h"

namespace tandem::cache {

/// Puts one option into a configuration, or notes why it has no effect, or warns that nobody knows
/// it. InvalidArgument for a value that is not accepted.
absl::Status ApplyLmcacheOption(const ConfigValue& value, LmcacheConfig* config);

}  // namespace tandem::cache

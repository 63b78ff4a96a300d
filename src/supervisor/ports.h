#pragma once

#include <string>

#include "absl/status/status.h"

namespace tandem::supervisor {

/// OK if `host`:`port` can be listened on now (0 always can); else AlreadyExists that names the
/// port, what it is for, and the `flag` that chooses another.
absl::Status CheckPortIsFree(const std::string& host, int port, const std::string& purpose,
                             const std::string& flag);

}  // namespace tandem::supervisor

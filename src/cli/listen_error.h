#pragma once

#include "absl/status/status.h"

namespace tandem::cli {

/// What a server that could not listen on --host and --port has to say, with the way out.
absl::Status NameOtherAddresses(const absl::Status& error);

}  // namespace tandem::cli

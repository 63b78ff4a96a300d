#pragma once

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace tandem::loadgen {

/// What this machine's memory and loopback allow at most, to judge other figures by.
struct MachineLimits {
  double memcpy_bytes_per_second = 0;    ///< One thread, 16 MiB at a time.
  double loopback_bytes_per_second = 0;  ///< One TCP connection, 1 MiB at a time.
};

/// Measures each for about `time`. Fails where no loopback connection can be made.
absl::StatusOr<MachineLimits> MeasureMachine(Duration time);

}  // namespace tandem::loadgen

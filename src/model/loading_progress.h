#pragma once

#include "base/clock.h"

namespace tandem::model {

/// Tells in the log how far the preparation of a model's weights has come, every two seconds, for
/// those who wait. For one thread.
class LoadingProgress {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(2);

  /// The preparation begins now. The clock outlives it.
  explicit LoadingProgress(int layers, const Clock& clock = Clock::Real());

  /// So many of the layers are ready.
  void Reached(int layers);

 private:
  const int layers_;
  const Clock& clock_;
  TimePoint shown_;
};

}  // namespace tandem::model

#include "model/loading_progress.h"

#include <spdlog/spdlog.h>

namespace tandem::model {

LoadingProgress::LoadingProgress(int layers, const Clock& clock)
    : layers_(layers), clock_(clock), shown_(clock.Now()) {}

void LoadingProgress::Reached(int layers) {
  const TimePoint now = clock_.Now();
  if (now - shown_ < kInterval) return;
  shown_ = now;
  spdlog::info("prepared the weights of {} of {} layers", layers, layers_);
}

}  // namespace tandem::model

#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "api/server/ignored_fields.h"
#include "api/server/prompt_encoder.h"
#include "api/server/served_model.h"
#include "base/clock.h"
#include "engine/engine_loop.h"

namespace tandem::api {

/// What the handlers share. Outlives every request.
struct ApiContext {
  const ServedModel& model;
  const PromptEncoder encoder;
  engine::EngineLoop& engine;
  const Clock& clock;
  const bool log_requests;
  std::atomic<uint64_t> next_sequence = 0;  ///< Makes the engine's ids unique.
  mutable IgnoredFields ignored_fields = {};
};

}  // namespace tandem::api

#pragma once

#include <optional>
#include <string>

#include "api/server/generation_plan.h"
#include "base/clock.h"
#include "engine/request.h"

namespace tandem::api {

/// A log line at the start of a request and one at its end, both with its id. For use by one thread
/// at a time.
class RequestLog {
 public:
  /// `enabled`: false logs nothing. The clock outlives it.
  RequestLog(const Clock& clock, bool enabled);

  void Start(const std::string& path, const GenerationPlan& plan);
  void Note(const engine::EngineOutput& output);
  /// `how` it ended: a finish reason, "cancelled", or an error.
  void End(const std::string& request_id, const std::string& how);

 private:
  const Clock& clock_;
  const bool enabled_;
  const TimePoint started_;
  std::optional<TimePoint> first_token_;
  int prompt_tokens_ = 0;
  int generated_tokens_ = 0;
  int cached_tokens_ = 0;
  int computed_tokens_ = 0;
  int committed_tokens_ = 0;
  int64_t loaded_bytes_ = 0;
  double load_seconds_ = 0;
};

}  // namespace tandem::api

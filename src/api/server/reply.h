#pragma once

#include "absl/status/status.h"
#include "engine/request.h"

namespace tandem::api {

/// Sends the answer to one HTTP request. Called by one thread at a time: Add for each output of
/// each choice, then once End or Fail.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void Add(int choice, const engine::EngineOutput& output) = 0;
  /// Every choice has ended.
  virtual void End() = 0;
  virtual void Fail(const absl::Status& error) = 0;
};

}  // namespace tandem::api

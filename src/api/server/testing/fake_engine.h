#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/engine_loop.h"

namespace tandem::api {

/// An engine whose outputs a test gives by hand.
class FakeEngine : public engine::EngineLoop {
 public:
  absl::Status Submit(engine::EngineRequest request, engine::OutputCallback callback) override {
    MutexLock lock(mutex_);
    if (!refusal_.ok()) return refusal_;
    callbacks_.push_back(std::move(callback));
    requests_.push_back(std::move(request));
    changed_.NotifyAll();
    return absl::OkStatus();
  }
  void Abort(const std::string& id) override {
    MutexLock lock(mutex_);
    aborted_.insert(id);
    changed_.NotifyAll();
  }
  void Wake() override {}
  bool Drain(TimePoint) override { return true; }
  int load() const override { return 3; }

  /// Waits until `count` requests have been submitted in all; false after ten seconds.
  bool WaitForRequests(size_t count) {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, Deadline(), [&] { return requests_.size() >= count; });
  }
  bool WaitForAbort(const std::string& id) {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, Deadline(), [&] { return aborted_.contains(id); });
  }
  engine::EngineRequest request(size_t index) {
    MutexLock lock(mutex_);
    return requests_.at(index);
  }
  /// Gives an output to the request that was submitted as number `index`.
  void Emit(size_t index, const engine::EngineOutput& output) {
    engine::OutputCallback callback;
    {
      MutexLock lock(mutex_);
      callback = callbacks_.at(index);
      if (output.finished) callbacks_.at(index) = nullptr;
    }
    callback(output);
  }
  /// Answers every later Submit with `status`.
  void Refuse(absl::Status status) {
    MutexLock lock(mutex_);
    refusal_ = std::move(status);
  }

 private:
  static TimePoint Deadline() { return Clock::Real().Now() + std::chrono::seconds(10); }

  Mutex mutex_;
  CondVar changed_;
  std::vector<engine::EngineRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<engine::OutputCallback> callbacks_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> aborted_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::api

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "transfer/extent_host.h"
#include "transfer/memory_region.h"

namespace tandem::transfer::testing {

inline TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

/// Takes writes to all generations but 0, and remembers what was published and what is held.
class WritableHost : public ExtentHost {
 public:
  explicit WritableHost(std::shared_ptr<const MemoryRegion> region) : region_(std::move(region)) {}

  absl::StatusOr<ReadableBytes> OpenForRead(const Extent&) override {
    return absl::UnimplementedError("only written here");
  }
  absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) override {
    if (extent.generation == 0) return absl::FailedPreconditionError("too late");
    if (before_write_) before_write_();
    MutexLock lock(mutex_);
    ++holds_;
    changed_.NotifyAll();
    return WritableBytes{region_->bytes().subspan(extent.offset, extent.length),
                         std::shared_ptr<const void>(this, [this](const void*) {
                           MutexLock lock(mutex_);
                           --holds_;
                           changed_.NotifyAll();
                         })};
  }
  absl::Status Publish(const HeldObject&) override {
    return absl::UnimplementedError("the checksum is made with the copy");
  }
  absl::Status PublishChecked(const HeldObject& object) override {
    MutexLock lock(mutex_);
    published_.push_back(object);
    return absl::OkStatus();
  }
  absl::Status CheckGrant(const Extent&, Access, const ExtentGrant&) override {
    ADD_FAILURE() << "processes of this host need no grant";
    return absl::OkStatus();
  }
  void Forget(const Extent&) override {}

  /// Called whenever an extent is about to be opened; set before the first one is.
  void set_before_write(std::function<void()> call) { before_write_ = std::move(call); }
  std::vector<HeldObject> published() {
    MutexLock lock(mutex_);
    return published_;
  }
  bool WaitForHolds(int count) {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, In(std::chrono::seconds(10)),
                              [&] { return holds_ == count; });
  }

 private:
  const std::shared_ptr<const MemoryRegion> region_;
  std::function<void()> before_write_;
  Mutex mutex_;
  CondVar changed_;
  int holds_ = 0;
  std::vector<HeldObject> published_;
};

}  // namespace tandem::transfer::testing

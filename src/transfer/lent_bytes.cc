#include "transfer/lent_bytes.h"

#include "base/mutex.h"

namespace tandem::transfer {

struct LentBytes::State {
  Mutex mutex;
  CondVar changed;
  bool returned ABSL_GUARDED_BY(mutex) = false;
};

LentBytes::LentBytes(std::span<const std::byte> bytes)
    : bytes_(bytes), state_(std::make_shared<State>()) {
  // The last hold may be let go after this has ended.
  hold_ = std::shared_ptr<const void>(bytes.data(), [state = state_](const void*) {
    MutexLock lock(state->mutex);
    state->returned = true;
    state->changed.NotifyAll();
  });
}

ReadableBytes LentBytes::Lend() const { return {bytes_, hold_}; }

bool LentBytes::WaitUntilReturned(TimePoint deadline) {
  hold_.reset();
  MutexLock lock(state_->mutex);
  return state_->changed.WaitUntil(state_->mutex, deadline,
                                   [this]()
                                       ABSL_NO_THREAD_SAFETY_ANALYSIS { return state_->returned; });
}

}  // namespace tandem::transfer

#include "base/piecewise_checksum.h"

#include "base/clock.h"

namespace tandem {
namespace {

// Who adds pieces in about the right order leaves few waiting; others shall not fill memory.
constexpr size_t kMaxWaiting = 64;
// Reading a few pieces takes microseconds.
constexpr Duration kPatience = std::chrono::seconds(1);

}  // namespace

void PiecewiseChecksum::Add(uint64_t position, uint64_t length) {
  MutexLock lock(mutex_);
  if (spoiled_) return;
  spoiled_ = position < end_ || waiting_.size() == kMaxWaiting ||
             !waiting_.emplace(position, length).second;
  if (reading_) return;
  reading_ = true;
  while (!spoiled_ && !waiting_.empty() && waiting_.begin()->first <= end_) {
    const auto piece = waiting_.extract(waiting_.begin());
    spoiled_ = piece.key() < end_;
    end_ = piece.key() + piece.mapped();
    mutex_.Unlock();
    checksum_.Update(bytes_.subspan(piece.key(), piece.mapped()));
    mutex_.Lock();
  }
  reading_ = false;
  read_.NotifyAll();
}

std::optional<uint64_t> PiecewiseChecksum::Digest(uint64_t size) {
  MutexLock lock(mutex_);
  const bool idle = read_.WaitUntil(mutex_, Clock::Real().Now() + kPatience,
                                    [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !reading_; });
  if (!idle || spoiled_ || end_ != size || !waiting_.empty()) return std::nullopt;
  return checksum_.Digest();
}

}  // namespace tandem

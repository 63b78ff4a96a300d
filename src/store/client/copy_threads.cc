#include "store/client/copy_threads.h"

#include <algorithm>
#include <cstring>

namespace tandem::store {
namespace {

// Shorter copies are over by the time that a sleeping thread is awake.
constexpr uint64_t kWorthSharing = 1 << 20;
constexpr size_t kPiece = 512 << 10;

}  // namespace

int CopyThreads::Sharing(uint64_t bytes) const { return bytes >= kWorthSharing ? threads_ : 1; }

void CopyThreads::ForEach(size_t count, uint64_t bytes, absl::FunctionRef<void(size_t)> body) {
  if (count > 1 && Sharing(bytes) > 1 && mutex_.TryLock()) {
    if (pool_ == nullptr) pool_ = std::make_unique<ThreadPool>(threads_);
    pool_->ParallelFor(static_cast<int64_t>(count),
                       [&](int64_t i, int) { body(static_cast<size_t>(i)); });
    mutex_.Unlock();
    return;
  }
  for (size_t i = 0; i < count; ++i) body(i);
}

void CopyAll(std::span<const Copy> copies, CopyThreads& threads) {
  std::vector<Copy> pieces;
  uint64_t bytes = 0;
  for (const Copy& copy : copies) {
    bytes += copy.from.size();
    for (size_t at = 0; at < copy.from.size(); at += kPiece) {
      const size_t size = std::min(kPiece, copy.from.size() - at);
      pieces.push_back({copy.to.subspan(at, size), copy.from.subspan(at, size)});
    }
  }
  threads.ForEach(pieces.size(), bytes, [&](size_t i) {
    std::memcpy(pieces[i].to.data(), pieces[i].from.data(), pieces[i].from.size());
  });
}

}  // namespace tandem::store

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"
#include "base/thread_pool.h"

namespace tandem::store {

/// The threads that a client's large copies are shared by, the caller's among them: one core does
/// not reach what memory gives to several. They start with the first copy that is worth it. Safe
/// for use by several threads: while one's copies are shared, the others' go on alone.
class CopyThreads {
 public:
  /// `threads` counts the caller; at least 1.
  explicit CopyThreads(int threads) : threads_(threads) {}

  /// How many threads copies of so many bytes in all are worth.
  int Sharing(uint64_t bytes) const;

  /// Calls body(i) for each i in [0, count), in any order and at the same time; returns when all
  /// are done. `bytes` is what they copy together: a little is copied by the caller alone, in
  /// order.
  void ForEach(size_t count, uint64_t bytes, absl::FunctionRef<void(size_t)> body);

 private:
  const int threads_;
  Mutex mutex_;
  std::unique_ptr<ThreadPool> pool_ ABSL_GUARDED_BY(mutex_);
};

/// A part of a batch of copies; `to` is as long as `from` and does not overlap it.
struct Copy {
  std::span<std::byte> to;
  std::span<const std::byte> from;
};

/// Makes all copies, in pieces that `threads` share.
void CopyAll(std::span<const Copy> copies, CopyThreads& threads);

}  // namespace tandem::store

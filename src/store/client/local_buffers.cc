#include "store/client/local_buffers.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

namespace tandem::store {
namespace {

constexpr uint64_t kMaxKeptBytes = 64 << 20;
constexpr uint64_t kMinBufferBytes = 4096;

}  // namespace

struct LocalBuffers::Pool {
  using Memory = std::unique_ptr<std::byte[]>;

  const uint64_t capacity;
  Mutex mutex;
  CondVar given_back;
  uint64_t used ABSL_GUARDED_BY(mutex) = 0;
  uint64_t kept_bytes ABSL_GUARDED_BY(mutex) = 0;
  std::multimap<uint64_t, Memory> kept ABSL_GUARDED_BY(mutex);  // by size

  explicit Pool(uint64_t bytes) : capacity(bytes) {}

  void GiveBack(uint64_t size, uint64_t allocated, Memory memory) {
    MutexLock lock(mutex);
    used -= size;
    if (kept_bytes + allocated <= kMaxKeptBytes) {
      kept_bytes += allocated;
      kept.emplace(allocated, std::move(memory));
    }
    given_back.NotifyAll();
  }
};

LocalBuffers::LocalBuffers(uint64_t capacity) : pool_(std::make_shared<Pool>(capacity)) {}

uint64_t LocalBuffers::capacity() const { return pool_->capacity; }

absl::StatusOr<transfer::WritableBytes> LocalBuffers::Take(uint64_t size, TimePoint deadline) {
  Pool& pool = *pool_;
  if (size > pool.capacity) {
    return absl::InvalidArgumentError(fmt::format(
        "an object of {} bytes does not fit local_buffer_size {}", size, pool.capacity));
  }
  const uint64_t allocated = std::bit_ceil(std::max(size, kMinBufferBytes));
  Pool::Memory memory;
  {
    MutexLock lock(pool.mutex);
    const bool room = pool.given_back.WaitUntil(
        pool.mutex, deadline,
        [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return pool.used + size <= pool.capacity; });
    if (!room) {
      return absl::ResourceExhaustedError(
          fmt::format("local_buffer_size {} is in use by other transfers", pool.capacity));
    }
    pool.used += size;
    if (const auto found = pool.kept.find(allocated); found != pool.kept.end()) {
      memory = std::move(found->second);
      pool.kept.erase(found);
      pool.kept_bytes -= allocated;
    }
  }
  if (memory == nullptr) memory = std::make_unique_for_overwrite<std::byte[]>(allocated);
  std::byte* const bytes = memory.release();
  auto give_back = [pool = pool_, size, allocated](std::byte* held) {
    pool->GiveBack(size, allocated, Pool::Memory(held));
  };
  return transfer::WritableBytes{{bytes, size}, std::shared_ptr<std::byte>(bytes, give_back)};
}

}  // namespace tandem::store

#include "compute/kv_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <utility>

namespace tandem::compute {
namespace {

size_t PoolBytes(const KvLayout& layout, int num_blocks) {
  return layout.block_bytes() * 2 * layout.layers * num_blocks;
}

}  // namespace

absl::StatusOr<KvPool> KvPool::Create(const KvLayout& layout, int num_blocks) {
  const size_t bytes = PoolBytes(layout, num_blocks);
  if (bytes == 0) return absl::InvalidArgumentError("a KV pool needs at least one block");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        fmt::format("the KV cache's {} blocks ({} bytes) cannot be mapped", num_blocks, bytes));
  }
  return KvPool(layout, num_blocks, static_cast<std::byte*>(memory));
}

KvPool::~KvPool() {
  if (memory_ != nullptr) munmap(memory_, PoolBytes(layout_, num_blocks_));
}

KvPool::KvPool(KvPool&& other) noexcept
    : layout_(other.layout_),
      num_blocks_(other.num_blocks_),
      memory_(std::exchange(other.memory_, nullptr)) {}

KvPool& KvPool::operator=(KvPool&& other) noexcept {
  std::swap(layout_, other.layout_);
  std::swap(num_blocks_, other.num_blocks_);
  std::swap(memory_, other.memory_);
  return *this;
}

}  // namespace tandem::compute

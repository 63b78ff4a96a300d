#include "base/awake_wait.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace tandem {
namespace {

std::atomic<int> awake{0};

int Most() {
  static const int most = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  return most;
}

}  // namespace

AwakeWaiter::AwakeWaiter() : may_wait_(awake.fetch_add(1, std::memory_order_relaxed) < Most()) {}

AwakeWaiter::~AwakeWaiter() { awake.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace tandem

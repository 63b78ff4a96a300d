#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cache/connector.h"

namespace tandem::engine::testing {

/// What is stored in a shared cache: K and V of a chunk's tokens, one token after another, by key.
struct FakeStore {
  mutable Mutex mutex;
  std::map<std::string, std::vector<std::byte>> chunks ABSL_GUARDED_BY(mutex);

  /// Forgets everything, so that what was found cannot be loaded.
  void Evict() {
    MutexLock lock(mutex);
    chunks.clear();
  }
  int size() const {
    MutexLock lock(mutex);
    return static_cast<int>(chunks.size());
  }
};

/// A way to a FakeStore, of chunks of 32 tokens and of prompts' tails. What is asked of it happens
/// only when the test runs it. Safe for use by several threads; outlives its sessions.
class FakeConnector : public cache::Connector {
 public:
  static constexpr int kChunk = 32;

  FakeConnector(FakeStore& store, const compute::KvPool& kv, cache::KvRole role);

  /// What is called when something has been run. To be set before the first request.
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

  std::unique_ptr<cache::CacheSession> Begin(cache::CacheRequest request) override;
  const cache::CacheNamespace& cache_namespace() const override { return namespace_; }
  cache::KvRole role() const override { return role_; }
  Duration commit_timeout() const override { return std::chrono::seconds(10); }

  /// Lookups, loads and saves asked for and not run yet.
  int pending() const;
  /// Runs the `index`-th of those.
  void Run(int index);
  void RunAll();
  /// From now on everything runs as soon as it is asked for.
  void RunImmediately();

  int lookups() const;

 private:
  class Session;
  class PendingTicket;

  void Enqueue(std::function<void()> work);

  FakeStore& store_;
  const compute::KvPool& kv_;
  const cache::KvRole role_;
  std::function<void()> wake_ = [] {};
  const cache::CacheNamespace namespace_;

  mutable Mutex mutex_;
  std::deque<std::function<void()>> pending_ ABSL_GUARDED_BY(mutex_);
  bool immediately_ ABSL_GUARDED_BY(mutex_) = false;
  int lookups_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tandem::engine::testing

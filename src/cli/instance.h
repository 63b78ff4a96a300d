#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "api/server/openai_server.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "cache/connector.h"
#include "cache/kv_transfer_config.h"
#include "cache/lmcache_config.h"
#include "cli/serve_flags.h"
#include "compute/kv_pool.h"
#include "engine/engine_loop.h"
#include "model/decoder.h"
#include "model/model.h"
#include "store/client/store_client.h"

namespace tandem::cli {

/// How an instance takes part in the shared cache.
struct SharedCacheConfig {
  cache::KvTransferConfig transfer;
  cache::LmcacheConfig lmcache;
  std::string hash_seed;  ///< PYTHONHASHSEED; empty if unset.
};

/// Everything that serves one model in this process, from the checkpoint to the HTTP server. Used
/// by the main thread.
class Instance {
 public:
  Instance(ServeOptions options, std::optional<SharedCacheConfig> shared_cache, const Clock& clock);
  /// Stops what runs, in reverse order.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// Opens the checkpoint, prepares the weights and the KV pool.
  absl::Status LoadModel();

  /// Joins the store's pool. Unavailable if a part of the store cannot be reached: it may be called
  /// again then. Does nothing without a shared cache.
  absl::Status JoinStore();

  /// Starts the engine and listens.
  absl::Status Serve();
  int port() const { return server_->port(); }

  /// Refuses new requests and lets those in flight finish until `deadline`, then stops.
  void Stop(TimePoint deadline);

 private:
  /// Wakes the engine while there is one; the connector's threads outlive it.
  struct Waker {
    void Wake() {
      MutexLock lock(mutex);
      if (engine != nullptr) engine->Wake();
    }
    void Set(engine::EngineLoop* loop) {
      MutexLock lock(mutex);
      engine = loop;
    }
    Mutex mutex;
    engine::EngineLoop* engine ABSL_GUARDED_BY(mutex) = nullptr;
  };

  api::ServedModel DescribeModel() const;

  const ServeOptions options_;
  const std::optional<SharedCacheConfig> shared_cache_;
  const Clock& clock_;
  MetricRegistry metrics_;
  Waker waker_;

  // In the order in which they are made; each uses those before it.
  model::Model model_;
  std::unique_ptr<model::Decoder> decoder_;
  std::optional<compute::KvPool> kv_;
  int max_model_len_ = 0;
  std::unique_ptr<store::StoreClient> store_;
  std::unique_ptr<cache::Connector> connector_;
  std::unique_ptr<engine::EngineLoop> engine_;
  std::unique_ptr<api::OpenAiServer> server_;
};

}  // namespace tandem::cli

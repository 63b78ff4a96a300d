#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "cache/chunk_ledger.h"
#include "cache/connector.h"
#include "cache/kv_transfer_config.h"
#include "cache/lmcache_config.h"
#include "compute/kv_pool.h"
#include "store/client/store_client.h"

namespace tandem::cache {

struct StoreConnectorOptions {
  KvRole role = KvRole::kBoth;
  CacheNamespace cache_namespace;
  ChunkPolicy chunks;
  bool save_chunk_meta = true;
  int min_retrieve_tokens = 0;
  Duration blocking_timeout = std::chrono::seconds(10);
  Duration lookup_timeout = std::chrono::seconds(2);
  int transfer_threads = 2;
  uint64_t window_bytes = uint64_t{64} << 20;  ///< That a transfer thread has on its way at once.

  /// From what the user wrote. `model_name` is a hub name or a path, of which the keys take the
  /// last part only (with lmcache_compatible_keys: all, as LMCache does); `weights_fingerprint` and
  /// `layout` go into the keys' fingerprint; `hash_seed` is PYTHONHASHSEED, empty if unset.
  static StoreConnectorOptions From(const LmcacheConfig& config, const KvTransferConfig& transfer,
                                    const std::string& model_name,
                                    const std::string& weights_fingerprint,
                                    const compute::KvLayout& layout, const std::string& hash_seed);
};

/// The connector over the shared store. Keeps its bounds when the store does not: a lookup takes at
/// most lookup_timeout, a load or save at most blocking_timeout, and while the master does not
/// answer they end at once. `kv`, `store`, `metrics` and `clock` outlive it; it outlives its
/// sessions. `wake` is called from its threads only, and until its destructor returns; a lookup
/// that is done when StartLookup returns wakes nobody.
std::unique_ptr<Connector> CreateStoreConnector(const StoreConnectorOptions& options,
                                                const compute::KvPool& kv,
                                                store::StoreClient& store, MetricRegistry& metrics,
                                                const Clock& clock, std::function<void()> wake);

}  // namespace tandem::cache

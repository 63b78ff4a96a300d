#include "cache/store_connector.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/hash.h"
#include "base/task_queue.h"
#include "cache/cache_metrics.h"
#include "cache/chunk_key.h"
#include "cache/chunk_mover.h"
#include "cache/connector_context.h"
#include "cache/kv_codec.h"
#include "cache/store_session.h"
#include "cache/store_tier.h"

namespace tandem::cache {
namespace {

/// Several a request in flight; beyond that a request does without the cache.
constexpr size_t kQueueCapacity = 4096;

constexpr size_t kFingerprintBytes = 8;

std::string Fingerprint(const std::string& weights, const compute::KvLayout& layout, bool header) {
  const auto digest =
      Sha256(fmt::format("{} {} {} {} {} {}", weights, compute::KeyName(layout.dtype),
                         layout.layers, layout.kv_heads, layout.head_dim, header));
  return ToHex(std::span(digest).first(kFingerprintBytes));
}

/// Where a checkpoint lies on one host says nothing on another: of a path only the last part
/// counts.
std::string ModelInKeys(const std::string& model_name) {
  std::error_code error;
  if (!std::filesystem::exists(model_name, error)) return model_name;
  const auto path = std::filesystem::absolute(model_name, error).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

class StoreConnector : public Connector {
 public:
  StoreConnector(const StoreConnectorOptions& options, const compute::KvPool& kv,
                 store::StoreClient& store, MetricRegistry& metrics, const Clock& clock,
                 std::function<void()> wake)
      : options_(options),
        hasher_(options.cache_namespace.hash_seed),
        codec_(kv.layout(), options.save_chunk_meta),
        wake_(std::move(wake)),
        metrics_(metrics),
        tier_(store, metrics_, clock),
        mover_(codec_, kv, tier_, metrics_, clock, options.window_bytes),
        context_{options_, kv.layout(), codec_, tier_,    mover_,
                 metrics_, clock,       wake_,  lookups_, transfers_},
        lookups_(1, kQueueCapacity),
        transfers_(options.transfer_threads, kQueueCapacity) {}

  ~StoreConnector() override { mover_.Stop(); }

  std::unique_ptr<CacheSession> Begin(CacheRequest request) override {
    return std::make_unique<StoreSession>(context_, request, hasher_.root());
  }
  const CacheNamespace& cache_namespace() const override { return options_.cache_namespace; }
  KvRole role() const override { return options_.role; }
  Duration commit_timeout() const override { return options_.blocking_timeout; }

 private:
  const StoreConnectorOptions options_;
  const ChunkHasher hasher_;
  const KvCodec codec_;
  const std::function<void()> wake_;
  CacheMetrics metrics_;
  StoreTier tier_;
  ChunkMover mover_;
  const ConnectorContext context_;
  // Last, so that their threads end before what their tasks use.
  TaskQueue lookups_;
  TaskQueue transfers_;
};

}  // namespace

StoreConnectorOptions StoreConnectorOptions::From(const LmcacheConfig& config,
                                                  const KvTransferConfig& transfer,
                                                  const std::string& model_name,
                                                  const std::string& weights_fingerprint,
                                                  const compute::KvLayout& layout,
                                                  const std::string& hash_seed) {
  StoreConnectorOptions options;
  options.role = transfer.role;
  options.cache_namespace = {
      .model = config.lmcache_compatible_keys ? model_name : ModelInKeys(model_name),
      .dtype = std::string(compute::KeyName(layout.dtype)),
      .hash_seed = hash_seed,
      .chunk_size = config.chunk_size,
      .fingerprint = config.lmcache_compatible_keys
                         ? ""
                         : Fingerprint(weights_fingerprint, layout, config.save_chunk_meta),
      .save_chunk_meta = config.save_chunk_meta};
  options.chunks = {.chunk_size = config.chunk_size,
                    .save_unfull_chunk = config.save_unfull_chunk,
                    .skip_last_n_tokens = transfer.skip_last_n_tokens};
  options.save_chunk_meta = config.save_chunk_meta;
  options.min_retrieve_tokens = config.min_retrieve_tokens;
  options.blocking_timeout = config.blocking_timeout;
  options.lookup_timeout = config.lookup_timeout;
  // Together the threads never want more of the store's local buffer than there is.
  options.window_bytes =
      std::min(options.window_bytes, config.local_buffer_size / options.transfer_threads);
  return options;
}

std::unique_ptr<Connector> CreateStoreConnector(const StoreConnectorOptions& options,
                                                const compute::KvPool& kv,
                                                store::StoreClient& store, MetricRegistry& metrics,
                                                const Clock& clock, std::function<void()> wake) {
  return std::make_unique<StoreConnector>(options, kv, store, metrics, clock, std::move(wake));
}

}  // namespace tandem::cache

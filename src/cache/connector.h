#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "compute/kv_pool.h"

namespace tandem::cache {

/// What an instance does with the shared cache (vLLM's kv_role).
enum class KvRole { kNone, kProducer, kConsumer, kBoth };

/// "kv_producer", "kv_consumer" or "kv_both"; empty for kNone.
std::string_view KvRoleName(KvRole role);

/// A transfer between KV blocks and the cache. The blocks it was given belong to it until done() is
/// true, aborts included. Safe for use by several threads.
class Ticket {
 public:
  virtual ~Ticket() = default;
  virtual bool done() const = 0;
  /// After done(): leading tokens of the slice that were moved; fewer than asked for means that
  /// everything from the first bad chunk on is to be computed.
  virtual int tokens() const = 0;
  /// After done(): bytes moved.
  virtual int64_t bytes() const = 0;
  /// Of a load: layers whose blocks are complete for all of tokens().
  virtual int layers_done() const = 0;
  /// Asks it to end early; done() still says when the blocks are free.
  virtual void Cancel() = 0;
};

/// One request's view of the cache; called by the engine's thread only. Destroying it cancels
/// nothing: whoever holds blocks keeps the tickets until they are done.
class CacheSession {
 public:
  virtual ~CacheSession() = default;

  /// Starts the request's one lookup: how many leading prompt tokens can be loaded. Poll
  /// lookup_done(); it ends within the connector's time-out, with 0 on any failure.
  virtual void StartLookup() = 0;
  virtual bool lookup_done() const = 0;
  /// After lookup_done(): leading tokens found, at most the number of prompt tokens.
  virtual int matched_tokens() const = 0;

  /// Loads positions [0, tokens) (at most matched_tokens()) into the blocks of `block_table`,
  /// without touching positions before `first_token`, which are there already.
  virtual std::shared_ptr<Ticket> Load(std::span<const int32_t> block_table, int first_token,
                                       int tokens) = 0;

  /// Tells that positions [0, computed) of the prompt are in the blocks. Whole chunks that are not
  /// yet in the cache are saved; with computed == the prompt's length its tail as well. Returns
  /// null if there is nothing to save.
  virtual std::shared_ptr<Ticket> Save(std::span<const int32_t> block_table, int computed) = 0;

  /// Leading prompt tokens that are committed in the cache: saved or found there.
  virtual int committed_tokens() const = 0;
};

/// What identifies the cache entries of an instance: two instances whose namespaces differ can
/// never hit each other.
struct CacheNamespace {
  std::string model;
  std::string dtype;
  std::string hash_seed;
  int chunk_size = 256;
  std::string fingerprint;  ///< Empty with lmcache_compatible_keys.
  /// No part of the keys but in the fingerprint: objects stored otherwise are found and not read.
  bool save_chunk_meta = true;

  /// "model=... dtype=... hash_seed=... chunk_size=... fingerprint=... save_chunk_meta=..."
  std::string ToString() const;
};

/// Options of one request.
struct CacheRequest {
  std::string request_id;
  std::vector<int32_t> prompt;
  std::string salt;           ///< cache_salt; requests with different salts never share.
  int committed_tokens = -1;  ///< What the prefiller said it committed; -1 if there was none.
};

/// The engine's way to the shared cache. Lookups, loads and saves run on threads of its own; `wake`
/// (given at creation) is called, from any of them, when a lookup or a ticket is done.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual std::unique_ptr<CacheSession> Begin(CacheRequest request) = 0;
  virtual const CacheNamespace& cache_namespace() const = 0;
  virtual KvRole role() const = 0;
  /// The longest a reply waits for its last chunks to be committed (blocking_timeout_secs).
  virtual Duration commit_timeout() const = 0;
};

}  // namespace tandem::cache

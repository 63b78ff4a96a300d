#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cache/cache_metrics.h"
#include "cache/chunk_ledger.h"
#include "cache/kv_codec.h"
#include "cache/tier.h"
#include "cache/transfer_ticket.h"
#include "compute/kv_pool.h"

namespace tandem::cache {

/// Moves chunks between KV blocks and a tier, in windows of at most `window_bytes` (or of one
/// chunk, if that is more). Blocks its caller's thread, until a deadline at most. Safe for use by
/// several threads on different blocks.
class ChunkMover {
 public:
  /// All outlive it.
  ChunkMover(const KvCodec& codec, const compute::KvPool& kv, Tier& tier, CacheMetrics& metrics,
             const Clock& clock, uint64_t window_bytes)
      : codec_(codec),
        kv_(kv),
        tier_(tier),
        metrics_(metrics),
        clock_(clock),
        window_bytes_(window_bytes) {}

  struct Moved {
    int tokens = 0;  ///< End of what was moved without a gap.
    int64_t bytes = 0;
  };

  /// Loads positions [wanted.begin, wanted.end) from `chunks`, which cover them in order. Stops at
  /// the first bad chunk.
  Moved Load(std::span<const Chunk> chunks, TokenRange wanted, std::span<const int32_t> block_table,
             TimePoint deadline, const TransferTicket& ticket);

  /// Saves chunks and marks each in the ledger as it ends.
  Moved Save(std::span<const Chunk> chunks, std::span<const int32_t> block_table,
             const store::CallContext& call, const TransferTicket& ticket, ChunkLedger* ledger);

  /// From now on every move ends at its next chunk.
  void Stop();

 private:
  /// How many of the leading `chunks` go into one window; at least one.
  size_t WindowLength(std::span<const Chunk> chunks) const;
  bool ShallEnd(CacheOperation operation, TimePoint deadline, const TransferTicket& ticket);
  /// Tries once to save those of a window's chunks that are not `done`, and marks those that end,
  /// well or not. Returns how many another writer is at. Adds the bytes written to `bytes`.
  int SaveWindow(std::span<const Chunk> chunks, std::span<const int32_t> block_table,
                 const store::CallContext& call, const TransferTicket& ticket, ChunkLedger* ledger,
                 std::vector<bool>* done, int64_t* bytes);

  const KvCodec& codec_;
  const compute::KvPool& kv_;
  Tier& tier_;
  CacheMetrics& metrics_;
  const Clock& clock_;
  const uint64_t window_bytes_;

  std::atomic<bool> stopped_ = false;
  Mutex mutex_;
  CondVar stop_;  // Guards nothing: lets Stop interrupt a wait.
};

}  // namespace tandem::cache

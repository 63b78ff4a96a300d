#pragma once

#include "base/clock.h"
#include "cache/connector.h"
#include "engine/block_pool.h"
#include "engine/engine_metrics.h"
#include "engine/sequence.h"
#include "engine/transfer_pins.h"

namespace tandem::engine {

/// The engine's side of the shared cache: lookups, loads and saves of sequences, none of which a
/// step waits for. Without a connector nothing is found and nothing is saved. Engine's thread only.
class ExternalCache {
 public:
  /// `connector` may be null.
  ExternalCache(cache::Connector* connector, BlockPool& pool, EngineMetrics& metrics,
                const Clock& clock)
      : connector_(connector), pins_(pool), metrics_(metrics), clock_(clock) {}

  /// Starts the lookup of a new sequence if its role loads.
  void Begin(Sequence& sequence);

  bool LookupPending(const Sequence& sequence) const;
  /// Leading prompt tokens that can be loaded; 0 while the lookup is pending.
  int FoundTokens(Sequence& sequence);

  /// Starts loading all that was found into the sequence's blocks, but for the `local` leading
  /// tokens, which are there.
  void StartLoad(Sequence& sequence, int local);
  bool LoadPending(const Sequence& sequence) const { return !sequence.cache.load->done(); }
  /// Takes over what a load that is done has brought: returns the leading tokens now present.
  int FinishLoad(Sequence& sequence);
  /// The load's result is no longer wanted; its blocks stay pinned until it ends.
  void CancelLoad(Sequence& sequence);

  /// Starts saving what has been computed of the prompt, if the role saves.
  void Save(Sequence& sequence);
  bool SavesPending(const Sequence& sequence) const;
  int64_t SavedBytes(const Sequence& sequence) const;
  int CommittedTokens(const Sequence& sequence) const;
  Duration commit_timeout() const;

  /// Gives back the blocks of transfers that have ended, and counts what was saved.
  void ReleaseBlocks();
  /// What ReleaseBlocks goes through: one for each transfer that it has not seen end, two if that
  /// is a save.
  size_t tracked() const { return pins_.size() + saves_.size(); }

 private:
  struct PendingSave {
    std::shared_ptr<cache::Ticket> ticket;
    std::shared_ptr<int> saved_tokens;  // Leading ones of the sequence that are counted.
  };

  void CountSaves();

  cache::Connector* const connector_;
  TransferPins pins_;
  std::vector<PendingSave> saves_;
  EngineMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace tandem::engine

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/chunk_ledger.h"
#include "cache/connector.h"
#include "cache/connector_context.h"
#include "cache/transfer_ticket.h"

namespace tandem::cache {

/// The cache session of one request over a tier.
class StoreSession : public CacheSession {
 public:
  StoreSession(const ConnectorContext& context, const CacheRequest& request, uint64_t root_hash);

  void StartLookup() override;
  bool lookup_done() const override;
  int matched_tokens() const override;
  std::shared_ptr<Ticket> Load(std::span<const int32_t> block_table, int first_token,
                               int tokens) override;
  std::shared_ptr<Ticket> Save(std::span<const int32_t> block_table, int computed) override;
  int committed_tokens() const override;

 private:
  /// What tasks go on using when the session is gone.
  struct Shared {
    Shared(const CacheRequest& request, const ChunkPolicy& policy, uint64_t root_hash,
           const ChunkKeyFormat& format)
        : request_id(request.request_id),
          ledger(request.prompt, request.committed_tokens, policy, root_hash, format) {}

    const std::string request_id;
    ChunkLedger ledger;
    std::atomic<bool> lookup_done = false;
    int matched = 0;  // Written before lookup_done, read after it.
  };

  using Move = std::function<ChunkMover::Moved(const TransferTicket& ticket)>;

  static void LookUp(const ConnectorContext& context, Shared& shared, int prompt_tokens,
                     TimePoint start);
  /// Runs `move` on a transfer thread and ends the ticket; false if the queue is full.
  bool StartMove(CacheOperation operation, std::shared_ptr<TransferTicket> ticket, Move move);
  /// The part of a block table that `tokens` tokens need, to be kept by a task.
  std::vector<int32_t> CopyBlocks(std::span<const int32_t> block_table, int tokens) const;

  const ConnectorContext& context_;
  const int prompt_tokens_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace tandem::cache

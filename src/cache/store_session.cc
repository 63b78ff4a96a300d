#include "cache/store_session.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tandem::cache {

StoreSession::StoreSession(const ConnectorContext& context, const CacheRequest& request,
                           uint64_t root_hash)
    : context_(context),
      prompt_tokens_(static_cast<int>(request.prompt.size())),
      shared_(std::make_shared<Shared>(
          request, context.options.chunks, root_hash,
          ChunkKeyFormat::For(context.options.cache_namespace, request.salt))) {}

void StoreSession::StartLookup() {
  if (context_.options.role == KvRole::kProducer) {
    shared_->lookup_done.store(true, std::memory_order_release);
    return;
  }
  const auto look_up = [&context = context_, shared = shared_, prompt_tokens = prompt_tokens_,
                        start = context_.clock.Now()] {
    LookUp(context, *shared, prompt_tokens, start);
  };
  if (context_.lookups.Submit(look_up)) return;
  context_.metrics.CountFailure(CacheOperation::kLookup, FailureCause::kQueueFull);
  shared_->lookup_done.store(true, std::memory_order_release);
}

void StoreSession::LookUp(const ConnectorContext& context, Shared& shared, int prompt_tokens,
                          TimePoint start) {
  const std::vector<Chunk> chunks = shared.ledger.ChunksToLookUp();
  const TimePoint deadline = start + context.options.lookup_timeout;
  if (!chunks.empty() && context.clock.Now() < deadline) {
    std::vector<std::string> keys;
    for (const Chunk& chunk : chunks) keys.push_back(chunk.key);
    const std::vector<int64_t> sizes = context.tier.Find(keys, {deadline, shared.request_id});
    std::vector<bool> found;
    for (size_t i = 0; i < chunks.size(); ++i) {
      const auto expected =
          static_cast<int64_t>(context.codec.EncodedBytes(chunks[i].range.size()));
      found.push_back(sizes[i] == expected);
      if (sizes[i] >= 0 && sizes[i] != expected) {
        context.metrics.CountFailure(CacheOperation::kLookup, FailureCause::kBadObject);
      }
    }
    shared.ledger.RecordLookup(found);
  } else if (!chunks.empty()) {
    context.metrics.CountFailure(CacheOperation::kLookup, FailureCause::kTimeout);
  }
  const int leading = shared.ledger.LeadingTokens();
  shared.matched = leading >= context.options.min_retrieve_tokens ? leading : 0;
  context.metrics.lookups.Increment();
  context.metrics.hit_tokens.Increment(shared.matched);
  context.metrics.miss_tokens.Increment(prompt_tokens - shared.matched);
  context.metrics.lookup_seconds.Observe(Seconds(context.clock.Now() - start));
  shared.lookup_done.store(true, std::memory_order_release);
  context.wake();
}

bool StoreSession::lookup_done() const {
  return shared_->lookup_done.load(std::memory_order_acquire);
}

int StoreSession::matched_tokens() const { return shared_->matched; }

std::shared_ptr<Ticket> StoreSession::Load(std::span<const int32_t> block_table, int first_token,
                                           int tokens) {
  const TokenRange wanted = {first_token, tokens};
  Move move = [&mover = context_.mover, shared = shared_, wanted,
               chunk_size = context_.options.chunks.chunk_size,
               blocks = CopyBlocks(block_table, tokens),
               deadline = context_.clock.Now() +
                          context_.options.blocking_timeout](const TransferTicket& ticket) {
    const std::vector<Chunk> chunks = shared->ledger.ChunksToLoad(wanted.begin, wanted.end);
    const ChunkMover::Moved moved = mover.Load(chunks, wanted, blocks, deadline, ticket);
    if (moved.tokens < wanted.end && !ticket.cancelled()) {
      shared->ledger.MarkLost(moved.tokens - moved.tokens % chunk_size);
    }
    return moved;
  };
  auto ticket = std::make_shared<TransferTicket>();
  if (!StartMove(CacheOperation::kLoad, ticket, std::move(move))) ticket->Finish(first_token, 0, 0);
  return ticket;
}

std::shared_ptr<Ticket> StoreSession::Save(std::span<const int32_t> block_table, int computed) {
  const KvRole role = context_.options.role;
  if (role != KvRole::kProducer && role != KvRole::kBoth) return nullptr;
  std::vector<Chunk> chunks = shared_->ledger.TakeUnsaved(computed);
  if (chunks.empty()) return nullptr;
  Move move = [&mover = context_.mover, shared = shared_, chunks,
               blocks = CopyBlocks(block_table, computed),
               deadline = context_.clock.Now() +
                          context_.options.blocking_timeout](const TransferTicket& ticket) {
    return mover.Save(chunks, blocks, {deadline, shared->request_id}, ticket, &shared->ledger);
  };
  auto ticket = std::make_shared<TransferTicket>();
  if (!StartMove(CacheOperation::kSave, ticket, std::move(move))) {
    for (const Chunk& chunk : chunks) shared_->ledger.MarkSaved(chunk, false);
    return nullptr;
  }
  return ticket;
}

bool StoreSession::StartMove(CacheOperation operation, std::shared_ptr<TransferTicket> ticket,
                             Move move) {
  const auto task = [&context = context_, operation, ticket = std::move(ticket),
                     move = std::move(move), start = context_.clock.Now()] {
    const ChunkMover::Moved moved = move(*ticket);
    auto& seconds = operation == CacheOperation::kLoad ? context.metrics.load_seconds
                                                       : context.metrics.save_seconds;
    seconds.Observe(Seconds(context.clock.Now() - start));
    ticket->Finish(moved.tokens, moved.bytes, context.layout.layers);
    context.wake();
  };
  if (context_.transfers.Submit(task)) return true;
  context_.metrics.CountFailure(operation, FailureCause::kQueueFull);
  return false;
}

int StoreSession::committed_tokens() const { return shared_->ledger.LeadingTokens(); }

std::vector<int32_t> StoreSession::CopyBlocks(std::span<const int32_t> block_table,
                                              int tokens) const {
  const int block_tokens = context_.layout.block_tokens;
  const auto count = static_cast<size_t>((tokens + block_tokens - 1) / block_tokens);
  const auto blocks = block_table.first(std::min(count, block_table.size()));
  return {blocks.begin(), blocks.end()};
}

}  // namespace tandem::cache

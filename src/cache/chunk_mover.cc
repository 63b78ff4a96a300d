#include "cache/chunk_mover.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"

namespace tandem::cache {
namespace {

/// How often a chunk that another writer is at is tried again. The waits double; together half a
/// second.
constexpr int kBusyTries = 8;
constexpr auto kFirstBusyWait = std::chrono::milliseconds(2);

}  // namespace

size_t ChunkMover::WindowLength(std::span<const Chunk> chunks) const {
  size_t length = 0;
  size_t bytes = 0;
  while (length < chunks.size()) {
    bytes += codec_.EncodedBytes(chunks[length].range.size());
    if (length > 0 && bytes > window_bytes_) break;
    ++length;
  }
  return length;
}

bool ChunkMover::ShallEnd(CacheOperation operation, TimePoint deadline,
                          const TransferTicket& ticket) {
  if (ticket.cancelled() || stopped_.load(std::memory_order_relaxed)) return true;
  if (clock_.Now() < deadline) return false;
  metrics_.CountFailure(operation, FailureCause::kTimeout);
  return true;
}

void ChunkMover::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_.store(true, std::memory_order_relaxed);
  }
  stop_.NotifyAll();
}

ChunkMover::Moved ChunkMover::Load(std::span<const Chunk> chunks, TokenRange wanted,
                                   std::span<const int32_t> block_table, TimePoint deadline,
                                   const TransferTicket& ticket) {
  Moved moved{.tokens = wanted.begin};
  while (!chunks.empty() && !ShallEnd(CacheOperation::kLoad, deadline, ticket)) {
    const auto window = chunks.first(WindowLength(chunks));
    chunks = chunks.subspan(window.size());
    std::vector<std::string> keys;
    for (const Chunk& chunk : window) keys.push_back(chunk.key);
    const auto handles = tier_.Read(keys, deadline);
    for (size_t i = 0; i < window.size(); ++i) {
      if (handles[i] == nullptr || ticket.cancelled()) return moved;
      const TokenRange chunk = window[i].range;
      const TokenRange part = {std::max(chunk.begin, wanted.begin),
                               std::min(chunk.end, wanted.end)};
      const auto bytes = handles[i]->bytes();
      const absl::Status status = codec_.Decode(bytes, chunk, part, kv_, block_table);
      if (!status.ok()) {
        spdlog::warn("cached chunk {}: {}", window[i].key, std::string(status.message()));
        metrics_.CountFailure(CacheOperation::kLoad, FailureCause::kBadObject);
        return moved;
      }
      moved.tokens = part.end;
      moved.bytes += static_cast<int64_t>(bytes.size());
      metrics_.loaded_chunks.Increment();
      metrics_.loaded_tokens.Increment(part.size());
      metrics_.loaded_bytes.Increment(static_cast<double>(bytes.size()));
    }
  }
  return moved;
}

ChunkMover::Moved ChunkMover::Save(std::span<const Chunk> chunks,
                                   std::span<const int32_t> block_table,
                                   const store::CallContext& call, const TransferTicket& ticket,
                                   ChunkLedger* ledger) {
  Moved moved;
  while (!chunks.empty()) {
    const auto window = chunks.first(WindowLength(chunks));
    chunks = chunks.subspan(window.size());
    std::vector<bool> done(window.size(), false);
    auto wait = kFirstBusyWait;
    for (int attempt = 0; attempt < kBusyTries; ++attempt) {
      if (ShallEnd(CacheOperation::kSave, call.deadline, ticket)) break;
      const int busy = SaveWindow(window, block_table, call, ticket, ledger, &done, &moved.bytes);
      if (busy == 0) break;
      if (attempt + 1 == kBusyTries) {
        metrics_.CountFailure(CacheOperation::kSave, FailureCause::kBusyWriter, busy);
        break;
      }
      MutexLock lock(mutex_);
      stop_.WaitUntil(mutex_, std::chrono::steady_clock::now() + wait,
                      [this] { return stopped_.load(std::memory_order_relaxed); });
      wait *= 2;
    }
    for (size_t i = 0; i < window.size(); ++i) {
      if (!done[i]) ledger->MarkSaved(window[i], false);
    }
  }
  moved.tokens = ledger->LeadingTokens();
  return moved;
}

int ChunkMover::SaveWindow(std::span<const Chunk> chunks, std::span<const int32_t> block_table,
                           const store::CallContext& call, const TransferTicket& ticket,
                           ChunkLedger* ledger, std::vector<bool>* done, int64_t* bytes) {
  std::vector<size_t> asked;
  std::vector<std::string> keys;
  std::vector<uint64_t> sizes;
  for (size_t i = 0; i < chunks.size(); ++i) {
    if ((*done)[i]) continue;
    asked.push_back(i);
    keys.push_back(chunks[i].key);
    sizes.push_back(codec_.EncodedBytes(chunks[i].range.size()));
  }
  std::vector<ChunkRoom> rooms = tier_.Reserve(keys, sizes, call);

  int busy = 0;
  std::vector<size_t> filled;
  std::vector<std::unique_ptr<store::Reservation>> reservations;
  const auto end = [&](size_t i, bool saved) {
    (*done)[i] = true;
    ledger->MarkSaved(chunks[i], saved);
  };
  for (size_t j = 0; j < asked.size(); ++j) {
    const size_t i = asked[j];
    switch (rooms[j].state) {
      case ChunkRoom::State::kReserved:
        if (ticket.cancelled()) {
          end(i, false);
          break;
        }
        codec_.Encode(kv_, block_table, chunks[i].range, rooms[j].reservation->bytes());
        reservations.push_back(std::move(rooms[j].reservation));
        filled.push_back(i);
        break;
      case ChunkRoom::State::kPresent:
        metrics_.present_chunks.Increment();
        end(i, true);
        break;
      case ChunkRoom::State::kBusy:
        ++busy;
        break;
      case ChunkRoom::State::kRefused:
        end(i, false);
        break;
    }
  }
  if (reservations.empty()) return busy;
  const std::vector<bool> committed = tier_.Commit(std::move(reservations), call);
  for (size_t k = 0; k < filled.size(); ++k) {
    end(filled[k], committed[k]);
    if (!committed[k]) continue;
    const int tokens = chunks[filled[k]].range.size();
    *bytes += static_cast<int64_t>(codec_.EncodedBytes(tokens));
    metrics_.saved_chunks.Increment();
    metrics_.saved_tokens.Increment(tokens);
    metrics_.saved_bytes.Increment(static_cast<double>(codec_.EncodedBytes(tokens)));
  }
  return busy;
}

}  // namespace tandem::cache

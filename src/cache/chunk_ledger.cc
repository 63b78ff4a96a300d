#include "cache/chunk_ledger.h"

#include <algorithm>

namespace tandem::cache {

ChunkLedger::ChunkLedger(std::span<const int32_t> prompt, int committed_tokens,
                         const ChunkPolicy& policy, uint64_t root_hash,
                         const ChunkKeyFormat& format)
    : chunk_size_(policy.chunk_size) {
  const int length = static_cast<int>(prompt.size());
  const bool told = committed_tokens >= 0 && committed_tokens <= length;
  const int lookup_end =
      told ? length : std::max(0, length - std::max(0, policy.skip_last_n_tokens));

  hashes_.push_back(root_hash);
  for (int begin = 0; begin + chunk_size_ <= length; begin += chunk_size_) {
    const int end = begin + chunk_size_;
    hashes_.push_back(ChunkHasher::Next(hashes_.back(), prompt.subspan(begin, chunk_size_)));
    entries_.push_back({.chunk = {{begin, end}, format.Key(hashes_.back())},
                        .looked_up = end <= lookup_end,
                        .saved_here = true});
  }
  whole_ = entries_.size();
  if (!policy.save_unfull_chunk) return;
  AddTail(prompt, length, /*looked_up=*/false, /*saved_here=*/true, format);
  if (told) {
    AddTail(prompt, committed_tokens, true, false, format);
  } else {
    AddTail(prompt, lookup_end, true, false, format);
    if (lookup_end == length) AddTail(prompt, length - 1, true, false, format);
  }
}

void ChunkLedger::AddTail(std::span<const int32_t> prompt, int end, bool looked_up, bool saved_here,
                          const ChunkKeyFormat& format) {
  const int tail = end % chunk_size_;
  if (end <= 0 || tail == 0) return;
  for (Entry& entry : entries_) {
    if (entry.chunk.range.end != end) continue;
    entry.looked_up |= looked_up;
    entry.saved_here |= saved_here;
    return;
  }
  const int begin = end - tail;
  const uint64_t hash =
      ChunkHasher::Next(hashes_[begin / chunk_size_], prompt.subspan(begin, tail));
  entries_.push_back({.chunk = {{begin, end}, format.Key(hash)},
                      .looked_up = looked_up,
                      .saved_here = saved_here});
}

std::vector<Chunk> ChunkLedger::ChunksToLookUp() const {
  MutexLock lock(mutex_);
  std::vector<Chunk> chunks;
  for (const Entry& entry : entries_) {
    if (entry.looked_up) chunks.push_back(entry.chunk);
  }
  return chunks;
}

void ChunkLedger::RecordLookup(const std::vector<bool>& found) {
  MutexLock lock(mutex_);
  size_t next = 0;
  for (Entry& entry : entries_) {
    if (entry.looked_up && found[next++]) entry.state = State::kPresent;
  }
}

int ChunkLedger::LeadingTokens() const {
  MutexLock lock(mutex_);
  size_t leading = 0;
  while (leading < whole_ && entries_[leading].state == State::kPresent) ++leading;
  const int begin = static_cast<int>(leading) * chunk_size_;
  int end = begin;
  for (size_t i = whole_; i < entries_.size(); ++i) {
    const Entry& tail = entries_[i];
    if (tail.state == State::kPresent && tail.chunk.range.begin == begin) {
      end = std::max(end, tail.chunk.range.end);
    }
  }
  return end;
}

std::vector<Chunk> ChunkLedger::ChunksToLoad(int first, int end) const {
  MutexLock lock(mutex_);
  std::vector<Chunk> chunks;
  size_t next = static_cast<size_t>(first / chunk_size_);
  for (; next < whole_ && static_cast<int>(next) * chunk_size_ < end; ++next) {
    if (entries_[next].state != State::kPresent) break;
    chunks.push_back(entries_[next].chunk);
  }
  const int begin = static_cast<int>(next) * chunk_size_;
  for (size_t i = whole_; first < end && begin < end && i < entries_.size(); ++i) {
    const Entry& tail = entries_[i];
    if (tail.state != State::kPresent || tail.chunk.range.begin != begin) continue;
    if (tail.chunk.range.end < end) continue;
    chunks.push_back(tail.chunk);
    break;
  }
  return chunks;
}

void ChunkLedger::MarkLost(int position) {
  MutexLock lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.state == State::kPresent && entry.chunk.range.begin >= position) {
      entry.state = State::kAbsent;
    }
  }
}

std::vector<Chunk> ChunkLedger::TakeUnsaved(int computed) {
  MutexLock lock(mutex_);
  std::vector<Chunk> chunks;
  for (Entry& entry : entries_) {
    if (!entry.saved_here || entry.state != State::kAbsent) continue;
    if (entry.chunk.range.end > computed) continue;
    entry.state = State::kSaving;
    chunks.push_back(entry.chunk);
  }
  return chunks;
}

void ChunkLedger::MarkSaved(const Chunk& chunk, bool saved) {
  MutexLock lock(mutex_);
  EntryOf(chunk.range).state = saved ? State::kPresent : State::kAbsent;
}

ChunkLedger::Entry& ChunkLedger::EntryOf(TokenRange range) {
  if (range.size() == chunk_size_) return entries_[range.begin / chunk_size_];
  size_t i = whole_;
  while (entries_[i].chunk.range.end != range.end) ++i;
  return entries_[i];
}

}  // namespace tandem::cache

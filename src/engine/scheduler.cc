#include "engine/scheduler.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "base/hash.h"

namespace tandem::engine {
namespace {

// Rows of logits that one sequence may ask for in a step, with prompt_logprobs.
constexpr int kMostLogitRows = 512;

bool GoesBefore(const Sequence* a, const Sequence* b) {
  return std::tie(a->request.priority, a->arrival_order) <
         std::tie(b->request.priority, b->arrival_order);
}

template <typename Queue>
void InsertByPriority(Queue& queue, Sequence& sequence) {
  queue.insert(std::upper_bound(queue.begin(), queue.end(), &sequence, GoesBefore), &sequence);
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, BlockPool& pool, ExternalCache& cache,
                     EngineMetrics& metrics, const Clock& clock)
    : options_(options), pool_(pool), cache_(cache), metrics_(metrics), clock_(clock) {}

void Scheduler::Add(Sequence& sequence) {
  sequence.arrival_order = arrivals_++;
  if (by_priority()) {
    InsertByPriority(waiting_, sequence);
  } else {
    waiting_.push_back(&sequence);
  }
}

void Scheduler::Remove(Sequence& sequence) {
  cache_.CancelLoad(sequence);
  FreeBlocks(sequence);
  std::erase(waiting_, &sequence);
  std::erase(loading_, &sequence);
  std::erase(running_, &sequence);
}

std::vector<ScheduledTokens> Scheduler::Schedule() {
  cache_.ReleaseBlocks();
  TakeLoaded();
  std::vector<ScheduledTokens> step;
  int budget = options_.max_num_batched_tokens;
  const bool enough_blocks = ScheduleGenerating(step, budget);
  SchedulePrompts(step, budget);
  if (enough_blocks) AdmitWaiting(step, budget);
  return step;
}

void Scheduler::RecordComputed(Sequence& sequence, int count) {
  const bool in_prompt = sequence.in_prompt();
  sequence.computed += count;
  if (!in_prompt) {
    // What is followed by a known token has been sampled before, here or elsewhere.
    const bool reaches_end = sequence.computed == sequence.length();
    metrics_.decode_tokens_replayed.Increment(reaches_end ? count - 1 : count);
    return;
  }
  sequence.computed_prompt_tokens += count;
  sequence.scored = std::max(sequence.scored, sequence.computed);
  metrics_.prompt_tokens_computed.Increment(count);
  if (options_.prefix_caching) Publish(sequence, sequence.computed);
  cache_.Save(sequence);
}

void Scheduler::TakeLoaded() {
  std::erase_if(loading_, [this](Sequence* sequence) {
    if (cache_.LoadPending(*sequence)) return false;
    StartRunning(*sequence, cache_.FinishLoad(*sequence));
    return true;
  });
}

// Returns whether there were blocks for all without taking any away.
bool Scheduler::ScheduleGenerating(std::vector<ScheduledTokens>& step, int& budget) {
  const size_t before = running_.size();
  bool stalled = false;
  for (size_t i = 0; i < running_.size() && budget > 0; ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.in_prompt()) continue;
    bool grown = GrowBlocks(sequence);
    while (!grown && running_.size() > i + 1) {
      Preempt(*running_.back());
      grown = GrowBlocks(sequence);
    }
    // With nobody behind it to preempt it keeps what it has: blocks come back as earlier sequences
    // end or preempt it, and as transfers end.
    if (grown) {
      ScheduleOne(sequence, step, budget);
    } else {
      stalled = true;
    }
  }
  return !stalled && running_.size() == before;
}

void Scheduler::SchedulePrompts(std::vector<ScheduledTokens>& step, int& budget) {
  for (size_t i = 0; i < running_.size() && budget > 0; ++i) {
    if (running_[i]->in_prompt()) ScheduleOne(*running_[i], step, budget);
  }
}

void Scheduler::AdmitWaiting(std::vector<ScheduledTokens>& step, int& budget) {
  const size_t most = options_.max_num_seqs;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (running_.size() + loading_.size() >= most) return;
    Sequence& sequence = **it;
    if (cache_.LookupPending(sequence)) {
      ++it;
      continue;
    }
    const Admission admission = Admit(sequence, budget);
    if (admission == Admission::kNoRoom) return;
    it = waiting_.erase(it);
    if (admission == Admission::kRunning) ScheduleOne(sequence, step, budget);
  }
}

Scheduler::Admission Scheduler::Admit(Sequence& sequence, int budget) {
  std::vector<int32_t> table = FindLocalPrefix(sequence);
  const int local_blocks = static_cast<int>(table.size());
  const int local = local_blocks * options_.block_tokens;
  const bool load = cache_.FoundTokens(sequence) > local;
  const int wanted = BlocksFor(sequence.length()) - local_blocks;
  // A block more for each that is there already, so that their next tokens do not at once take
  // away what is given here.
  const int headroom = static_cast<int>(running_.size() + loading_.size());
  const bool room = pool_.free_blocks() >= wanted + headroom;
  if ((!load && budget == 0) || !room || !pool_.Allocate(wanted, table)) {
    pool_.Release(table);
    return Admission::kNoRoom;
  }
  sequence.blocks = std::move(table);
  sequence.published = local_blocks;
  CountLocalPrefix(sequence, local);
  if (load) {
    cache_.StartLoad(sequence, local);
    sequence.state = SequenceState::kLoading;
    loading_.push_back(&sequence);
    return Admission::kLoading;
  }
  StartRunning(sequence, local);
  return Admission::kRunning;
}

// `present`: leading tokens whose KV is in the blocks already.
void Scheduler::StartRunning(Sequence& sequence, int present) {
  sequence.computed = std::min(present, sequence.MostReusable());
  if (!sequence.cached_tokens) {
    sequence.cached_tokens = std::min(sequence.computed, sequence.prompt_length());
    sequence.times.scheduled = clock_.Now();
    metrics_.prompt_tokens.Increment(sequence.prompt_length());
  }
  if (options_.prefix_caching) {
    Publish(sequence, std::min(sequence.computed, sequence.prompt_length()));
  }
  sequence.state = SequenceState::kRunning;
  if (by_priority()) {
    InsertByPriority(running_, sequence);
  } else {
    running_.push_back(&sequence);
  }
}

void Scheduler::ScheduleOne(Sequence& sequence, std::vector<ScheduledTokens>& step, int& budget) {
  int count = std::min(sequence.Remaining(), budget);
  if (sequence.in_prompt() && sequence.wants_prompt_logprobs()) {
    count = std::min(count, kMostLogitRows);
  }
  if (count == 0) return;
  step.push_back({&sequence, count});
  budget -= count;
}

// Room for all its tokens; false, and nothing changed, if there are no blocks.
bool Scheduler::GrowBlocks(Sequence& sequence) {
  const int missing = BlocksFor(sequence.length()) - static_cast<int>(sequence.blocks.size());
  return missing <= 0 || pool_.Allocate(missing, sequence.blocks);
}

void Scheduler::Preempt(Sequence& sequence) {
  metrics_.preemptions.Increment();
  std::erase(running_, &sequence);
  Publish(sequence, sequence.computed);
  FreeBlocks(sequence);
  sequence.state = SequenceState::kWaiting;
  sequence.preempted = true;
  if (by_priority()) {
    InsertByPriority(waiting_, sequence);
  } else {
    waiting_.push_front(&sequence);
  }
}

// Without prefix caching a sequence's blocks are known to itself alone.
std::span<const BlockHash> Scheduler::FirstHashes(Sequence& sequence, int count) const {
  if (!sequence.block_hashes) {
    const BlockHash root = Sha256(options_.prefix_caching ? sequence.request.cache_salt
                                                          : std::to_string(sequence.arrival_order));
    sequence.block_hashes.emplace(root, options_.block_tokens, sequence.prompt_length());
  }
  return sequence.block_hashes->First(count, sequence.tokens);
}

std::vector<int32_t> Scheduler::FindLocalPrefix(Sequence& sequence) {
  if (!options_.prefix_caching && !sequence.preempted) return {};
  return pool_.Find(FirstHashes(sequence, sequence.MostReusable() / options_.block_tokens));
}

// What it found when it was preempted is no hit of a prompt.
void Scheduler::CountLocalPrefix(const Sequence& sequence, int tokens) {
  if (sequence.preempted) {
    metrics_.preempted_tokens_kept.Increment(tokens);
  } else if (options_.prefix_caching) {
    metrics_.prefix_queries.Increment(sequence.length());
    metrics_.prefix_hits.Increment(tokens);
  }
}

// Makes the whole blocks of the first `tokens` tokens, which are computed, known.
void Scheduler::Publish(Sequence& sequence, int tokens) {
  const int complete = tokens / options_.block_tokens;
  if (sequence.published >= complete) return;
  const std::span<const BlockHash> hashes = FirstHashes(sequence, complete);
  for (; sequence.published < complete; ++sequence.published) {
    pool_.Publish(sequence.blocks[sequence.published], hashes[sequence.published]);
  }
}

void Scheduler::FreeBlocks(Sequence& sequence) {
  pool_.Release(sequence.blocks);
  sequence.blocks.clear();
  sequence.computed = 0;
  sequence.published = 0;
}

}  // namespace tandem::engine

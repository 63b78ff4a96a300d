#include "engine/scheduler.h"

#include <algorithm>

namespace tandem::engine {
namespace {

// Rows of logits that one sequence may ask for in a step, with prompt_logprobs.
constexpr int kMostLogitRows = 512;

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, BlockPool& pool, ExternalCache& cache,
                     EngineMetrics& metrics, const Clock& clock)
    : options_(options), pool_(pool), cache_(cache), metrics_(metrics), clock_(clock) {}

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
  metrics_.prompt_tokens_computed.Increment(count);
  Publish(sequence);
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
  if (options_.prefix_caching) {
    metrics_.prefix_queries.Increment(sequence.length());
    metrics_.prefix_hits.Increment(local);
  }
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
    sequence.cached_tokens = sequence.computed;
    sequence.times.scheduled = clock_.Now();
    metrics_.prompt_tokens.Increment(sequence.prompt_length());
  }
  Publish(sequence);
  sequence.state = SequenceState::kRunning;
  running_.push_back(&sequence);
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
  FreeBlocks(sequence);
  sequence.state = SequenceState::kWaiting;
  waiting_.push_front(&sequence);
}

std::vector<int32_t> Scheduler::FindLocalPrefix(Sequence& sequence) {
  if (!options_.prefix_caching || sequence.wants_prompt_logprobs()) return {};
  if (sequence.block_hashes.empty()) {
    sequence.block_hashes = HashPromptBlocks(sequence.request.prompt, options_.block_tokens,
                                             sequence.request.cache_salt);
  }
  const size_t most = sequence.MostReusable() / options_.block_tokens;
  return pool_.Find(std::span(sequence.block_hashes).first(most));
}

// Only blocks of prompt tokens: the KV of generated ones comes from another numeric path than the
// same tokens would take in a prompt.
void Scheduler::Publish(Sequence& sequence) {
  const int complete = std::min<int>(sequence.computed / options_.block_tokens,
                                     static_cast<int>(sequence.block_hashes.size()));
  for (; sequence.published < complete; ++sequence.published) {
    pool_.Publish(sequence.blocks[sequence.published], sequence.block_hashes[sequence.published]);
  }
}

void Scheduler::FreeBlocks(Sequence& sequence) {
  pool_.Release(sequence.blocks);
  sequence.blocks.clear();
  sequence.computed = 0;
  sequence.published = 0;
}

}  // namespace tandem::engine

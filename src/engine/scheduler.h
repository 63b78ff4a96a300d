#pragma once

#include <deque>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/block_pool.h"
#include "engine/engine_metrics.h"
#include "engine/engine_options.h"
#include "engine/external_cache.h"
#include "engine/sequence.h"

namespace tandem::engine {

struct SchedulerOptions {
  int block_tokens = 16;
  int max_num_seqs = 256;
  int max_num_batched_tokens = 2048;
  bool prefix_caching = false;
  SchedulingPolicy policy = SchedulingPolicy::kFirstComeFirstServed;
};

/// The next `count` tokens of a sequence, all of one path.
struct ScheduledTokens {
  Sequence* sequence = nullptr;
  int count = 0;
};

/// Decides what each step computes, as vLLM V1 does: there are no phases, each step moves sequences
/// on toward their last token under one budget of tokens, running ones first. Generated tokens come
/// before prompts, which take what the budget leaves, in chunks. A sequence gets blocks for all its
/// tokens when it is admitted and one more as its output grows; if there is none, the last running
/// sequence gives up its blocks and waits again. Its whole blocks stay known, generated tokens
/// included, so that until others need them it loses only the rest of the last. With
/// SchedulingPolicy::kPriority both queues are in order of priority: the most urgent is admitted,
/// computed and given blocks first, and the least urgent is preempted. Engine's thread only.
class Scheduler {
 public:
  Scheduler(const SchedulerOptions& options, BlockPool& pool, ExternalCache& cache,
            EngineMetrics& metrics, const Clock& clock);

  /// Queues a new sequence, which must stay where it is until Remove.
  void Add(Sequence& sequence);

  /// Forgets a sequence and gives back its blocks.
  void Remove(Sequence& sequence);

  /// What the next step computes; empty if everything waits for something.
  std::vector<ScheduledTokens> Schedule();

  /// Takes notice that a step has computed the next `count` tokens of a sequence.
  void RecordComputed(Sequence& sequence, int count);

  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size() + loading_.size()); }

 private:
  enum class Admission { kRunning, kLoading, kNoRoom };

  void TakeLoaded();
  bool ScheduleGenerating(std::vector<ScheduledTokens>& step, int& budget);
  void SchedulePrompts(std::vector<ScheduledTokens>& step, int& budget);
  void AdmitWaiting(std::vector<ScheduledTokens>& step, int& budget);
  Admission Admit(Sequence& sequence, int budget);
  void StartRunning(Sequence& sequence, int present);
  void ScheduleOne(Sequence& sequence, std::vector<ScheduledTokens>& step, int& budget);
  bool GrowBlocks(Sequence& sequence);
  void Preempt(Sequence& sequence);
  bool by_priority() const { return options_.policy == SchedulingPolicy::kPriority; }
  std::span<const BlockHash> FirstHashes(Sequence& sequence, int count) const;
  std::vector<int32_t> FindLocalPrefix(Sequence& sequence);
  void CountLocalPrefix(const Sequence& sequence, int tokens);
  void Publish(Sequence& sequence, int tokens);
  void FreeBlocks(Sequence& sequence);
  int BlocksFor(int tokens) const {
    return (tokens + options_.block_tokens - 1) / options_.block_tokens;
  }

  const SchedulerOptions options_;
  BlockPool& pool_;
  ExternalCache& cache_;
  EngineMetrics& metrics_;
  const Clock& clock_;
  std::deque<Sequence*> waiting_;   // In order of arrival; preempted ones in front.
  std::vector<Sequence*> loading_;  // In order of admission.
  std::vector<Sequence*> running_;  // In order of admission; the last is preempted first.
  uint64_t arrivals_ = 0;
};

}  // namespace tandem::engine

#include "engine/engine_core.h"

#include <algorithm>
#include <utility>

#include "engine/counter_random.h"

namespace tandem::engine {
namespace {

EndTokens MakeEndTokens(const EngineOptions& options, const compute::KvPool& kv,
                        const model::Tokenizer& tokenizer) {
  return {.ids = options.eos_token_ids,
          .primary = tokenizer.eos_token_id(),
          .max_model_len =
              std::min(options.max_model_len, options.num_blocks * kv.layout().block_tokens)};
}

SchedulerOptions MakeSchedulerOptions(const EngineOptions& options, const compute::KvPool& kv) {
  return {.block_tokens = kv.layout().block_tokens,
          // Every running sequence must find room in a step.
          .max_num_seqs = std::min(options.max_num_seqs, options.max_num_batched_tokens),
          .max_num_batched_tokens = options.max_num_batched_tokens,
          .prefix_caching = options.enable_prefix_caching,
          .policy = options.scheduling_policy};
}

}  // namespace

EngineCore::EngineCore(const EngineOptions& options, model::Decoder& decoder,
                       const compute::KvPool& kv, const model::Tokenizer& tokenizer,
                       cache::Connector* connector, MetricRegistry& metrics, const Clock& clock)
    : options_(options),
      tokenizer_(tokenizer),
      clock_(clock),
      end_(MakeEndTokens(options, kv, tokenizer)),
      metrics_(metrics, options.model_name, options.max_model_len),
      pool_(options.num_blocks),
      cache_(connector, pool_, metrics_, clock),
      scheduler_(MakeSchedulerOptions(options, kv), pool_, cache_, metrics_, clock),
      runner_(decoder, kv) {}

EngineCore::~EngineCore() = default;

void EngineCore::Add(EngineRequest request, OutputCallback callback, TimePoint arrival) {
  const uint64_t seed = request.sampling.seed.value_or(Mix64(options_.seed) + ++drawn_seeds_);
  std::string id = request.id;
  std::unique_ptr<Sequence>& owner = sequences_[std::move(id)];
  owner = std::make_unique<Sequence>(std::move(request), std::move(callback), tokenizer_, end_,
                                     seed, arrival);
  Sequence& sequence = *owner;
  TakeGiven(sequence);
  if (!sequence.output.finished()) {
    cache_.Begin(sequence);
    scheduler_.Add(sequence);
  }
  // The first output also brings the prompt's logprobs, which are yet to be computed.
  if (sequence.prompt_logprobs.empty() || sequence.output.finished()) {
    EngineOutput output = sequence.output.Take();
    if (!output.tokens.empty() || output.finished) Emit(sequence, std::move(output));
  }
  UpdateGauges();
}

void EngineCore::Abort(const std::string& id) {
  const auto entry = sequences_.find(id);
  if (entry == sequences_.end()) return;
  FinishEarly(*entry->second, FinishReason::kAbort, absl::OkStatus());
  UpdateGauges();
}

void EngineCore::AbortAll() {
  while (!sequences_.empty()) Abort(std::string(sequences_.begin()->first));
}

bool EngineCore::Step() {
  const std::vector<ScheduledTokens> step = scheduler_.Schedule();
  if (!step.empty()) {
    const std::vector<SampledToken> sampled = runner_.Run(step);
    int tokens = 0;
    for (const ScheduledTokens& scheduled : step) {
      scheduler_.RecordComputed(*scheduled.sequence, scheduled.count);
      tokens += scheduled.count;
    }
    metrics_.iteration_tokens.Observe(tokens);
    for (const SampledToken& token : sampled) TakeSampled(token);
  }
  FinishCommitted();
  UpdateGauges();
  return !step.empty();
}

std::optional<TimePoint> EngineCore::deadline() const {
  std::optional<TimePoint> earliest;
  for (const Sequence* sequence : committing_) {
    if (!earliest || sequence->commit_deadline < *earliest) earliest = sequence->commit_deadline;
  }
  return earliest;
}

size_t EngineCore::tracked() const {
  return sequences_.size() + committing_.size() + cache_.tracked() + scheduler_.running() +
         scheduler_.waiting();
}

void EngineCore::TakeGiven(Sequence& sequence) {
  const EngineRequest& request = sequence.request;
  const TimePoint now = clock_.Now();
  int emitted = 0;
  for (size_t i = 0; i < request.given.size() && !sequence.output.finished(); ++i) {
    const bool emit = i >= static_cast<size_t>(request.given_already_sent);
    AppendToken(sequence, request.given[i].token, request.given[i].logprobs, emit);
    emitted += emit ? 1 : 0;
  }
  metrics_.RecordTokens(sequence, emitted, now);
}

void EngineCore::TakeSampled(const SampledToken& sampled) {
  Sequence& sequence = *sampled.sequence;
  if (!sampled.token) {
    FinishEarly(sequence, FinishReason::kError, sampled.error);
    return;
  }
  AppendToken(sequence, *sampled.token, sampled.logprobs, true);
  metrics_.generation_tokens.Increment();
  metrics_.RecordTokens(sequence, 1, clock_.Now());
  EngineOutput output = sequence.output.Take();
  output.prompt_logprobs = std::exchange(sequence.prompt_logprobs, {});
  Emit(sequence, std::move(output));
}

void EngineCore::AppendToken(Sequence& sequence, int32_t token,
                             std::optional<TokenLogprobs> logprobs, bool emit) {
  sequence.tokens.push_back(token);
  sequence.logits.AddOutput(token);
  sequence.output.Append(token, std::move(logprobs), emit);
}

void EngineCore::Emit(Sequence& sequence, EngineOutput output) {
  if (!output.finished) {
    Report(sequence, output);
    sequence.callback(output);
    return;
  }
  scheduler_.Remove(sequence);
  if (sequence.request.wait_for_commit && cache_.SavesPending(sequence)) {
    sequence.state = SequenceState::kCommitting;
    sequence.last_output = std::move(output);
    sequence.commit_deadline = clock_.Now() + cache_.commit_timeout();
    committing_.push_back(&sequence);
    return;
  }
  Finish(sequence, std::move(output));
}

// Hands out the last output and forgets the sequence.
void EngineCore::Finish(Sequence& sequence, EngineOutput output) {
  Report(sequence, output);
  output.committed_tokens = cache_.CommittedTokens(sequence);
  output.saved_bytes = cache_.SavedBytes(sequence);
  metrics_.RecordFinished(sequence, output.reason, clock_.Now());
  sequence.callback(output);
  sequences_.erase(sequence.request.id);
}

// Ends a sequence, whatever its state, without what its output still holds.
void EngineCore::FinishEarly(Sequence& sequence, FinishReason reason, absl::Status error) {
  scheduler_.Remove(sequence);
  std::erase(committing_, &sequence);
  EngineOutput output;
  output.finished = true;
  output.reason = reason;
  output.error = std::move(error);
  Finish(sequence, std::move(output));
}

void EngineCore::FinishCommitted() {
  const TimePoint now = clock_.Now();
  std::vector<Sequence*> ended;
  std::erase_if(committing_, [&](Sequence* sequence) {
    const bool pending = cache_.SavesPending(*sequence);
    if (pending && now < sequence->commit_deadline) return false;
    if (pending) metrics_.commit_timeouts.Increment();
    ended.push_back(sequence);
    return true;
  });
  for (Sequence* sequence : ended) Finish(*sequence, *std::move(sequence->last_output));
}

void EngineCore::Report(Sequence& sequence, EngineOutput& output) const {
  output.prompt_tokens = sequence.prompt_length();
  output.generated_tokens = sequence.output.generated();
  output.cached_tokens = sequence.cached_tokens.value_or(0);
  output.computed_prompt_tokens = sequence.computed_prompt_tokens;
  output.loaded_bytes = sequence.loaded_bytes;
  output.load_seconds = sequence.load_seconds;
}

void EngineCore::UpdateGauges() {
  metrics_.requests_running.Set(scheduler_.running());
  metrics_.requests_waiting.Set(scheduler_.waiting());
  metrics_.kv_cache_usage.Set(static_cast<double>(pool_.used_blocks()) /
                              std::max(pool_.num_blocks(), 1));
}

}  // namespace tandem::engine

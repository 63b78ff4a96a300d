#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "engine/engine_metrics.h"
#include "engine/engine_options.h"
#include "engine/external_cache.h"
#include "engine/model_runner.h"
#include "engine/scheduler.h"

namespace tandem::engine {

/// The engine without its thread: takes requests, and in each step schedules, runs the model and
/// hands out what came of it. For one thread at a time.
class EngineCore {
 public:
  /// See EngineLoop::Start.
  EngineCore(const EngineOptions& options, model::Decoder& decoder, const compute::KvPool& kv,
             const model::Tokenizer& tokenizer, cache::Connector* connector,
             MetricRegistry& metrics, const Clock& clock);
  ~EngineCore();

  /// Takes a valid request that arrived at `arrival`. Given tokens are emitted before it returns.
  void Add(EngineRequest request, OutputCallback callback, TimePoint arrival);

  /// Ends a request with kAbort; unknown ids are ignored.
  void Abort(const std::string& id);
  void AbortAll();

  /// Does one step; returns whether it ran the model. If not, every request waits for a lookup, for
  /// a transfer or for deadline().
  bool Step();

  /// When there is something to do even if nothing happens.
  std::optional<TimePoint> deadline() const;

  /// Most tokens of prompt and output together: max_model_len, or less if the KV pool is small.
  int max_length() const { return end_.max_model_len; }

  /// KV blocks that requests or transfers hold.
  int used_blocks() const { return pool_.used_blocks(); }
  int unfinished() const { return static_cast<int>(sequences_.size()); }
  /// Entries of every list and table that a step goes through, but for the blocks' own: of requests
  /// in flight and of transfers that have not been seen to end, wherever these stand.
  size_t tracked() const;
  /// KV blocks that can be found under their content's hash; at most all.
  size_t published_blocks() const { return pool_.published_blocks(); }

 private:
  void TakeGiven(Sequence& sequence);
  void TakeSampled(const SampledToken& sampled);
  void AppendToken(Sequence& sequence, int32_t token, std::optional<TokenLogprobs> logprobs,
                   bool emit);
  void Emit(Sequence& sequence, EngineOutput output);
  void Finish(Sequence& sequence, EngineOutput output);
  void FinishEarly(Sequence& sequence, FinishReason reason, absl::Status error);
  void FinishCommitted();
  void Report(Sequence& sequence, EngineOutput& output) const;
  void UpdateGauges();

  const EngineOptions options_;
  const model::Tokenizer& tokenizer_;
  const Clock& clock_;
  EndTokens end_;
  EngineMetrics metrics_;
  BlockPool pool_;
  ExternalCache cache_;
  Scheduler scheduler_;
  ModelRunner runner_;
  absl::flat_hash_map<std::string, std::unique_ptr<Sequence>> sequences_;  // By id.
  std::vector<Sequence*> committing_;
  uint64_t drawn_seeds_ = 0;
};

}  // namespace tandem::engine

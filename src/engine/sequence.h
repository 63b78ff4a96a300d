#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "cache/connector.h"
#include "engine/block_hash.h"
#include "engine/logits_processor.h"
#include "engine/output_assembler.h"
#include "engine/request.h"
#include "model/decoder.h"

namespace tandem::engine {

/// Where a request in flight stands.
enum class SequenceState {
  kWaiting,     ///< For its lookup, for blocks or for budget; has no blocks.
  kLoading,     ///< Its blocks are being filled from the shared cache.
  kRunning,     ///< Has blocks; takes part in steps.
  kCommitting,  ///< Finished, its last output waits for its saves; has no blocks.
};

/// What a request has to do with the shared cache. Empty without a connector.
struct CacheState {
  std::unique_ptr<cache::CacheSession> session;
  bool looked_up = false;     ///< Whether a lookup was started.
  bool lookup_taken = false;  ///< Whether its result stands in `found`.
  int found = 0;              ///< Leading prompt tokens that can be loaded.
  TimePoint lookup_start;
  std::shared_ptr<cache::Ticket> load;
  int load_first = 0;  ///< Leading tokens that were here before the load.
  std::vector<std::shared_ptr<cache::Ticket>> saves;
  /// Leading prompt tokens that its saves have brought into the cache so far.
  std::shared_ptr<int> saved_tokens = std::make_shared<int>(0);
};

/// When a request came, got its first step, its first token and its latest token.
struct SequenceTimes {
  TimePoint arrival;
  std::optional<TimePoint> scheduled;
  std::optional<TimePoint> first_token;
  TimePoint last_token;
};

/// A request in flight: its tokens, how far their KV is computed, its blocks and its output.
/// Engine's thread only. Does not move, as its parts refer to the request.
struct Sequence {
  Sequence(EngineRequest request, OutputCallback callback, const model::Tokenizer& tokenizer,
           const EndTokens& end, uint64_t seed, TimePoint arrival);
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  int prompt_length() const { return static_cast<int>(request.prompt.size()); }
  int length() const { return static_cast<int>(tokens.size()); }
  bool in_prompt() const { return computed < prompt_length(); }
  model::TokenPath path() const {
    return in_prompt() ? model::TokenPath::kPrefill : model::TokenPath::kDecode;
  }
  bool wants_prompt_logprobs() const {
    return request.sampling.prompt_logprobs && request.given_already_sent == 0;
  }

  /// Tokens not yet computed that take the same path.
  int Remaining() const { return (in_prompt() ? prompt_length() : length()) - computed; }

  /// Most leading tokens that may be taken over instead of computed: all but the last, whose logits
  /// are needed. With prompt_logprobs all of the prompt's are, once.
  int MostReusable() const {
    const bool unscored = wants_prompt_logprobs() && scored < prompt_length();
    return unscored ? std::min(scored, length() - 1) : length() - 1;
  }

  const EngineRequest request;
  const OutputCallback callback;
  const uint64_t seed;
  SequenceState state = SequenceState::kWaiting;

  std::vector<int32_t> tokens;  ///< Prompt, then output.
  int computed = 0;             ///< Leading tokens whose KV is in the blocks.
  std::vector<int32_t> blocks;  ///< KV blocks of positions 0.., one reference each.

  std::optional<BlockHashes> block_hashes;  ///< Absent until one is needed.
  int published = 0;                        ///< Leading blocks known under their hashes.
  uint64_t arrival_order = 0;               ///< Among all that the scheduler was given.
  bool preempted = false;                   ///< At least once.

  CacheState cache;
  LogitsProcessor logits;
  OutputAssembler output;
  std::vector<TokenLogprobs> prompt_logprobs;  ///< [prompt length] if asked for, until emitted.
  int scored = 0;  ///< Leading prompt tokens whose rows of logits prompt_logprobs has had.
  std::optional<EngineOutput> last_output;  ///< While committing.
  TimePoint commit_deadline;

  // What the outputs report.
  std::optional<int> cached_tokens;  ///< Set when it first runs.
  int computed_prompt_tokens = 0;
  int64_t loaded_bytes = 0;
  double load_seconds = 0;
  SequenceTimes times;
};

}  // namespace tandem::engine

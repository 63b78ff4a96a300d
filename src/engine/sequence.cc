#include "engine/sequence.h"

#include <utility>

namespace tandem::engine {

Sequence::Sequence(EngineRequest engine_request, OutputCallback output_callback,
                   const model::Tokenizer& tokenizer, const EndTokens& end, uint64_t sampling_seed,
                   TimePoint arrival)
    : request(std::move(engine_request)),
      callback(std::move(output_callback)),
      seed(sampling_seed),
      tokens(request.prompt),
      logits(request.sampling, request.prompt, StopChecker(request.sampling, end).EndTokenIds()),
      output(request, tokenizer, end) {
  if (wants_prompt_logprobs()) prompt_logprobs.resize(request.prompt.size());
  times.arrival = arrival;
}

}  // namespace tandem::engine

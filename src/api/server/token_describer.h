#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/schema/logprobs.h"
#include "engine/request.h"
#include "model/tokenizer.h"

namespace tandem::api {

/// Gives tokens the texts that log-probabilities are reported with.
class TokenDescriber {
 public:
  /// `as_ids`: the text is "token_id:<id>".
  TokenDescriber(const model::Tokenizer& tokenizer, bool as_ids)
      : tokenizer_(tokenizer), as_ids_(as_ids) {}

  PositionLogprobs Describe(const engine::TokenLogprobs& logprobs) const;
  /// The same for a prompt, whose first token has no log-probability.
  std::vector<PositionLogprobs> DescribePrompt(
      const std::vector<int32_t>& prompt, const std::vector<engine::TokenLogprobs>& logprobs) const;

 private:
  TokenChoice Name(int32_t id, float logprob, int rank) const;

  const model::Tokenizer& tokenizer_;
  const bool as_ids_;
};

}  // namespace tandem::api

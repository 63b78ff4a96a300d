#include "api/server/token_describer.h"

#include <fmt/format.h>

namespace tandem::api {

TokenChoice TokenDescriber::Name(int32_t id, float logprob, int rank) const {
  const std::string text =
      as_ids_ ? fmt::format("token_id:{}", id)
              : tokenizer_.Decode(std::vector<int32_t>{id}, /*skip_special_tokens=*/false);
  return {.id = id,
          .text = text,
          .bytes = std::string(tokenizer_.Bytes(id)),
          .logprob = logprob,
          .rank = rank};
}

PositionLogprobs TokenDescriber::Describe(const engine::TokenLogprobs& logprobs) const {
  PositionLogprobs position;
  position.token = Name(logprobs.token, logprobs.logprob, logprobs.rank);
  int rank = 0;
  for (const auto& [id, logprob] : logprobs.top) {
    position.top.push_back(Name(id, logprob, ++rank));
  }
  return position;
}

std::vector<PositionLogprobs> TokenDescriber::DescribePrompt(
    const std::vector<int32_t>& prompt, const std::vector<engine::TokenLogprobs>& logprobs) const {
  std::vector<PositionLogprobs> positions;
  if (logprobs.empty() || prompt.empty()) return positions;
  positions.reserve(prompt.size());
  positions.push_back({.token = Name(prompt.front(), 0, 0), .top = {}, .has_logprob = false});
  for (size_t i = 1; i < logprobs.size(); ++i) positions.push_back(Describe(logprobs[i]));
  return positions;
}

}  // namespace tandem::api

#include "engine/stop_checker.h"

#include <algorithm>

namespace tandem::engine {
namespace {

bool Contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

StopChecker::Verdict StopChecker::Check(int32_t token, int generated, int prompt_tokens) const {
  if (generated >= params_.min_tokens) {
    const bool end = !params_.ignore_eos && Contains(end_.ids, token);
    if (end || Contains(params_.stop_token_ids, token)) return Verdict::kStopToken;
  }
  const bool full = prompt_tokens + generated >= end_.max_model_len;
  return full || generated >= params_.max_tokens ? Verdict::kLength : Verdict::kContinue;
}

std::string StopChecker::StopReason(int32_t token) const {
  const bool end_of_sequence = token == end_.primary && !params_.ignore_eos;
  return end_of_sequence ? std::string() : std::to_string(token);
}

std::vector<int32_t> StopChecker::EndTokenIds() const {
  std::vector<int32_t> ids = params_.stop_token_ids;
  ids.insert(ids.end(), end_.ids.begin(), end_.ids.end());
  return ids;
}

}  // namespace tandem::engine

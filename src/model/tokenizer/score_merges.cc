#include "model/tokenizer/score_merges.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "model/tokenizer/utf8.h"

namespace tandem::model {

std::vector<Merge> ScoreMerges(const TokenIds& ids, std::span<const double> scores) {
  std::vector<Merge> merges;
  for (const auto& [token, id] : ids) {
    if (token.empty()) continue;
    for (size_t cut = FirstCharacter(token).size; cut < token.size();
         cut += FirstCharacter(token.substr(cut)).size) {
      const auto left = ids.find(token.substr(0, cut));
      const auto right = ids.find(token.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back({left->second, right->second, id});
    }
  }
  std::sort(merges.begin(), merges.end(), [&](const Merge& a, const Merge& b) {
    return std::tuple(-scores[a.result], a.result, a.left) <
           std::tuple(-scores[b.result], b.result, b.left);
  });
  for (size_t i = 1; i < merges.size(); ++i) {
    merges[i].ties_with_previous = scores[merges[i].result] == scores[merges[i - 1].result];
  }
  return merges;
}

}  // namespace tandem::model

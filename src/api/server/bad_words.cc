#include "api/server/bad_words.h"

#include <fmt/format.h>

#include <set>
#include <string_view>
#include <utility>

#include "api/schema/error.h"

namespace tandem::api {
namespace {

/// vLLM's limit.
constexpr size_t kMaxSequences = 128;

std::string WithoutLeadingSpace(const std::string& word) {
  const size_t begin = word.find_first_not_of(" \t\n\v\f\r");
  return begin == std::string::npos ? std::string() : word.substr(begin);
}

}  // namespace

absl::StatusOr<std::vector<std::vector<int32_t>>> BadWordTokens(
    const std::vector<std::string>& words, const model::Tokenizer& tokenizer) {
  std::vector<std::vector<int32_t>> sequences;
  std::set<std::string_view> known;
  for (const std::string& word : words) {
    if (!known.insert(word).second) continue;
    const std::string bare = WithoutLeadingSpace(word);
    std::vector<int32_t> at_start = tokenizer.Encode(bare, /*add_special_tokens=*/false);
    if (at_start.empty()) {
      return FieldError(
          "bad_words",
          fmt::format("bad_words must have words of at least one token, got \"{}\"", word));
    }
    std::vector<int32_t> within = tokenizer.Encode(" " + bare, /*add_special_tokens=*/false);
    const bool other = within.size() == at_start.size() && within.front() != at_start.front();
    sequences.push_back(std::move(at_start));
    if (other) sequences.push_back(std::move(within));
    if (sequences.size() > kMaxSequences) {
      return FieldError("bad_words",
                        fmt::format("bad_words are {} words, which make more than the {} token "
                                    "sequences that are accepted",
                                    words.size(), kMaxSequences));
    }
  }
  return sequences;
}

}  // namespace tandem::api

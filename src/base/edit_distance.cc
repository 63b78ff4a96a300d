#include "base/edit_distance.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace tandem {

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i) + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const int replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

std::string_view NearestName(std::string_view word, const std::vector<std::string_view>& names) {
  // A word of which more than a third has to change is another word, not a slip.
  int best = static_cast<int>(word.size()) / 3 + 1;
  std::string_view nearest;
  for (std::string_view name : names) {
    const int distance = EditDistance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

std::string Suggestion(std::string_view word, const std::vector<std::string_view>& names) {
  const std::string_view nearest = NearestName(word, names);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

}  // namespace tandem

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem {

/// Levenshtein's distance: the fewest single characters to insert, delete or replace.
int EditDistance(std::string_view a, std::string_view b);

/// The name among `names` nearest to a misspelt `word`; empty if none is near enough to be meant.
std::string_view NearestName(std::string_view word, const std::vector<std::string_view>& names);

/// "; did you mean NAME?" with the nearest name, or nothing.
std::string Suggestion(std::string_view word, const std::vector<std::string_view>& names);

}  // namespace tandem

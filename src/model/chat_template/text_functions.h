#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::model::jinja {

/// Python's functions on strings, over UTF-8 text.

std::vector<std::string_view> Characters(std::string_view text);
int64_t CharacterCount(std::string_view text);

enum class Side { kBoth, kLeft, kRight };
/// Takes off the characters in `characters`, by default white space.
std::string_view Strip(std::string_view text, std::optional<std::string_view> characters,
                       Side side);

/// At white space, or at each `separator`, which is not empty; at most `most` times if that is not
/// negative.
std::vector<std::string_view> SplitAtSpace(std::string_view text, int64_t most);
std::vector<std::string_view> Split(std::string_view text, std::string_view separator,
                                    int64_t most);
std::vector<std::string_view> SplitFromRight(std::string_view text, std::string_view separator,
                                             int64_t most);
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends);

/// How often `part` occurs without overlap; an empty one between all characters.
int64_t CountOccurrences(std::string_view text, std::string_view part);
/// Replaces the first `most` occurrences, all if negative.
std::string Replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t most);

std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
/// The first character in upper case, the others in lower case.
std::string Capitalize(std::string_view text);
/// The same with every word.
std::string Title(std::string_view text);

}  // namespace tandem::model::jinja

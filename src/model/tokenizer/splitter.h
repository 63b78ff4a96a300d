#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::model {

/// Cuts text into pieces that are encoded on their own. Const and safe for use by several threads.
class Splitter {
 public:
  virtual ~Splitter() = default;

  /// Appends the pieces of `text`, which is valid UTF-8, in order; none is empty.
  virtual void Split(std::string_view text, std::vector<std::string_view>* pieces) const = 0;
};

/// What becomes of a regular expression's matches.
enum class SplitBehavior {
  kIsolated,  ///< Matches and what lies between them are pieces.
  kRemoved,   ///< Only what lies between them.
};

/// Splits by a regular expression, with Unicode's properties. With `invert`, what lies between the
/// matches counts as the match. InvalidArgument gives the position of an error in the pattern.
absl::StatusOr<std::unique_ptr<Splitter>> MakeRegexSplitter(std::string_view pattern,
                                                            SplitBehavior behavior, bool invert);

/// Makes every digit a piece (`individual`), or every run of digits. Digits are Unicode's numbers
/// of any kind.
std::unique_ptr<Splitter> MakeDigitSplitter(bool individual);

}  // namespace tandem::model

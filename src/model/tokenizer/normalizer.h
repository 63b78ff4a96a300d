#pragma once

#include <string>
#include <string_view>

namespace tandem::model {

/// What a checkpoint does to text before it is split.
enum class Normalization { kNone, kNfc };

/// `text`, which is valid UTF-8, in its normal form: a view of itself if nothing changes, else of
/// `storage`.
std::string_view Normalize(Normalization normalization, std::string_view text,
                           std::string* storage);

}  // namespace tandem::model

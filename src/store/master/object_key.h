#pragma once

#include <string_view>

namespace tandem::store {

/// Whether it can name an object: UTF-8 of 1 to kMaxKeyBytes bytes.
bool IsObjectKey(std::string_view key);

}  // namespace tandem::store

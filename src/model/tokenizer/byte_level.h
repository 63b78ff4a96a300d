#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::model {

/// The alphabet in which byte-level vocabularies are written (GPT-2's): a byte that is a printable
/// character of Latin-1 stands for itself, the others for U+0100 onwards in their order.

/// The character that stands for a byte, in UTF-8.
std::string_view ByteLevelCharacter(uint8_t byte);

/// Appends the bytes that a token of the vocabulary stands for. A token with characters outside the
/// alphabet (an added token, say) stands for its own UTF-8.
void AppendByteLevelDecoded(std::string_view token, std::string* out);

}  // namespace tandem::model

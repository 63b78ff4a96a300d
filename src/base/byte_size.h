#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tandem {

/// The bytes that a text names: a whole number of them, or a number, maybe with a fraction, and a
/// unit: b, k, kb, kib and so on to t, tb, tib, in letters of either case, after blanks or none.
/// Units are powers of 1,024, as in vLLM's, LMCache's and Mooncake's options. Nothing for any other
/// text, and for 2^63 bytes or more.
std::optional<uint64_t> ParseByteSize(std::string_view text);

/// What it accepts, for error messages.
inline constexpr char kByteSizes[] = "a number of bytes, or a number with kb, mb, gb or tb";

}  // namespace tandem

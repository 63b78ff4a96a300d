#include "base/byte_size.h"

#include <charconv>
#include <string>

#include "absl/strings/ascii.h"

namespace tandem {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};
// Those that end like another stand before it.
constexpr Unit kUnits[] = {{"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40},
                           {"kb", 0x1p10},  {"mb", 0x1p20},  {"gb", 0x1p30},  {"tb", 0x1p40},
                           {"k", 0x1p10},   {"m", 0x1p20},   {"g", 0x1p30},   {"t", 0x1p40},
                           {"b", 1},        {"", 1}};

template <typename Number>
bool Parse(std::string_view text, Number* number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end;
}

}  // namespace

std::optional<uint64_t> ParseByteSize(std::string_view text) {
  constexpr double kTooMany = 0x1p63;
  uint64_t bytes = 0;
  if (Parse(text, &bytes)) {
    return bytes < (uint64_t{1} << 63) ? std::optional(bytes) : std::nullopt;
  }
  const std::string lower = absl::AsciiStrToLower(absl::string_view(text.data(), text.size()));
  for (const auto& [suffix, factor] : kUnits) {
    if (!lower.ends_with(suffix)) continue;
    std::string_view digits = std::string_view(lower).substr(0, lower.size() - suffix.size());
    while (digits.ends_with(' ')) digits.remove_suffix(1);
    double number = 0;
    if (!Parse(digits, &number) || !(number >= 0 && number * factor < kTooMany))
      return std::nullopt;
    return static_cast<uint64_t>(number * factor);
  }
  return std::nullopt;
}

}  // namespace tandem

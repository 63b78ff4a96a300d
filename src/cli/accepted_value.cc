#include "cli/accepted_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "base/byte_size.h"

namespace tandem::cli {
namespace {

constexpr int64_t kAnyWhole = std::numeric_limits<int>::max();

/// The value as CLI11 is to read it, or nothing if it is not accepted.
using Reader = std::function<std::optional<std::string>(const std::string& text)>;

CLI::Validator Accepting(const std::string& accepted, const std::string& in_help, Reader read) {
  return CLI::Validator(
      [accepted, read = std::move(read)](std::string& text) {
        const std::optional<std::string> value = read(text);
        if (!value) {
          return fmt::format("'{}' is not accepted; it takes {}", text, accepted);
        }
        text = *value;
        return std::string();
      },
      in_help);
}

std::string Span(int64_t least, int64_t most) {
  if (least == most) return fmt::format("only {}", least);
  return most >= kAnyWhole ? fmt::format("at least {}", least)
                           : fmt::format("{} to {}", least, most);
}

CLI::Validator Whole(const std::string& accepted, int64_t least, int64_t most) {
  return Accepting(accepted, Span(least, most),
                   [=](const std::string& text) -> std::optional<std::string> {
                     int64_t value = 0;
                     if (!absl::SimpleAtoi(text, &value) || value < least || value > most) {
                       return std::nullopt;
                     }
                     return std::to_string(value);
                   });
}

}  // namespace

CLI::Validator WholeNumber(int64_t least, int64_t most) {
  if (least == most) return Whole(Span(least, most), least, most);
  return Whole(most >= kAnyWhole ? fmt::format("a whole number of at least {}", least)
                                 : fmt::format("a whole number from {} to {}", least, most),
               least, most);
}

CLI::Validator Number(double least, double most) {
  return Accepting(fmt::format("a number from {} to {}", least, most),
                   fmt::format("{} to {}", least, most),
                   [=](const std::string& text) -> std::optional<std::string> {
                     double value = 0;
                     if (!absl::SimpleAtod(text, &value) || !(value >= least && value <= most)) {
                       return std::nullopt;
                     }
                     return text;
                   });
}

CLI::Validator Port(int least) {
  return Whole(fmt::format("a port number from {} to 65535", least), least, 65535);
}

CLI::Validator TokenCount() {
  return Accepting(
      "a whole number of at least 1, or one with k (1000) or K (1024)", "at least 1",
      [](const std::string& text) -> std::optional<std::string> {
        const int64_t unit = text.ends_with('k') ? 1000 : text.ends_with('K') ? 1024 : 1;
        int64_t value = 0;
        const std::string digits = unit == 1 ? text : text.substr(0, text.size() - 1);
        if (!absl::SimpleAtoi(digits, &value) || value < 1 || value > kAnyWhole / unit) {
          return std::nullopt;
        }
        return std::to_string(value * unit);
      });
}

CLI::Validator ByteSize(uint64_t least) {
  return Accepting(
      fmt::format("{}{}", least > 0 ? fmt::format("at least {}: ", least) : "", kByteSizes),
      "bytes", [least](const std::string& text) -> std::optional<std::string> {
        const std::optional<uint64_t> bytes = ParseByteSize(text);
        if (!bytes || *bytes < least) return std::nullopt;
        return std::to_string(*bytes);
      });
}

CLI::Validator OneOf(std::vector<std::string> choices) {
  const std::string accepted = absl::StrJoin(choices, " or ");
  return Accepting(
      accepted, accepted,
      [choices = std::move(choices)](const std::string& text) -> std::optional<std::string> {
        if (std::ranges::find(choices, text) == choices.end()) return std::nullopt;
        return text;
      });
}

}  // namespace tandem::cli

#include "model/hub/http_head.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"

namespace tandem::model::hub {
namespace {

std::string_view Strip(std::string_view text) {
  while (!text.empty() && absl::ascii_isspace(text.front())) text.remove_prefix(1);
  while (!text.empty() && absl::ascii_isspace(text.back())) text.remove_suffix(1);
  return text;
}

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::chrono::seconds> ParseSeconds(std::string_view text) {
  constexpr int64_t kMost = 1'000'000'000;
  const std::optional<int64_t> seconds = ParseCount(Strip(text));
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(std::min(*seconds, kMost));
}

}  // namespace

void HttpHead::AddLine(std::string_view line) {
  line = Strip(line);
  if (line.starts_with("HTTP/")) {
    fields_.clear();
    const size_t space = std::min(line.find(' '), line.size());
    line = Strip(line.substr(space));
    status_ = static_cast<int>(ParseCount(line.substr(0, 3)).value_or(0));
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(Strip(line.substr(0, colon)));
  absl::AsciiStrToLower(&name);
  fields_[std::move(name)] = std::string(Strip(line.substr(colon + 1)));
}

std::string_view HttpHead::Field(std::string_view name) const {
  const auto field = fields_.find(name);
  return field == fields_.end() ? std::string_view() : field->second;
}

std::optional<int64_t> ParseCount(std::string_view text) {
  int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (text.empty() || text.front() == '-' || error != std::errc() || rest != end) {
    return std::nullopt;
  }
  return count;
}

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  if (!ConsumePrefix(text, "bytes ")) return std::nullopt;
  const size_t slash = text.find('/');
  const size_t dash = text.find('-');
  if (slash == std::string_view::npos || dash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const std::optional<int64_t> first = ParseCount(text.substr(0, dash));
  const std::optional<int64_t> last = ParseCount(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first) return std::nullopt;
  const std::string_view size = text.substr(slash + 1);
  if (size == "*") return ContentRange{.first = *first, .last = *last};
  const std::optional<int64_t> whole = ParseCount(size);
  if (!whole) return std::nullopt;
  return ContentRange{.first = *first, .last = *last, .size = *whole};
}

std::string_view NormalizeEtag(std::string_view text) {
  ConsumePrefix(text, "W/");
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

std::optional<std::chrono::seconds> AskedWait(const HttpHead& head) {
  if (const auto wait = ParseSeconds(head.Field("retry-after"))) return wait;
  std::string_view rest = head.Field("ratelimit");
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    std::string_view part = Strip(rest.substr(0, end));
    if (ConsumePrefix(part, "t=")) return ParseSeconds(part);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

}  // namespace tandem::model::hub

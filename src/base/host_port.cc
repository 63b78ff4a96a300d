#include "base/host_port.h"

#include <fmt/format.h>

#include <charconv>

namespace tandem {

std::string HostPort::ToString() const { return FormatHostPort(host, port); }

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool has_port = colon != std::string_view::npos &&
                        (bracketed ? text[colon - 1] == ']' : text.find(':') == colon);
  HostPort named{WithoutBrackets(has_port ? text.substr(0, colon) : text)};
  if (has_port) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, named.port);
    if (error != std::errc() || stop != end || named.port < 1 || named.port > 65535) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' has a port that is not in 1..65535", text));
    }
  }
  if (named.host.empty()) {
    return absl::InvalidArgumentError(fmt::format("'{}' names no host", text));
  }
  return named;
}

std::string WithoutBrackets(std::string_view host) {
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  return std::string(bracketed ? host.substr(1, host.size() - 2) : host);
}

std::string FormatHostPort(std::string_view host, int port) {
  const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return bare_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace tandem

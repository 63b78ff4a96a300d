#include "cache/remote_url.h"

#include <fmt/format.h>

#include <charconv>

namespace tandem::cache {
namespace {

constexpr std::string_view kScheme = "mooncakestore://";
constexpr std::string_view kHostLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

bool ConsumePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

bool ConsumeSuffix(std::string_view* text, std::string_view suffix) {
  if (!text->ends_with(suffix)) return false;
  text->remove_suffix(suffix.size());
  return true;
}

}  // namespace

std::string HostPort::ToString() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError("host:port with a port, such as 10.0.0.1:50051");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) host = "";
  } else if (host.find_first_not_of(kHostLetters) != std::string_view::npos) {
    host = "";
  }
  if (host.empty()) {
    return absl::InvalidArgumentError("host:port whose host is a name or an address");
  }
  int port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end || port < 1 || port > 65535) {
    return absl::InvalidArgumentError("host:port with a port from 1 to 65535");
  }
  return HostPort{std::string(host), port};
}

absl::StatusOr<RemoteUrl> ParseRemoteUrl(std::string_view text) {
  if (!ConsumePrefix(&text, kScheme)) {
    return absl::InvalidArgumentError(fmt::format("{}host:port/", kScheme));
  }
  RemoteUrl url;
  const size_t question = text.find('?');
  if (question != std::string_view::npos) {
    std::string_view query = text.substr(question + 1);
    if (!ConsumePrefix(&query, "device=")) {
      return absl::InvalidArgumentError(
          fmt::format("{}host:port/ with nothing or ?device=NAME behind it", kScheme));
    }
    url.device = query;
    text = text.substr(0, question);
  }
  ConsumeSuffix(&text, "/");
  absl::StatusOr<HostPort> master = ParseHostPort(text);
  if (!master.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}{}", kScheme, std::string(master.status().message())));
  }
  url.master = *std::move(master);
  return url;
}

absl::Status CheckMetadataServer(std::string_view text) {
  if (text == "P2PHANDSHAKE") return absl::OkStatus();
  if ((ConsumePrefix(&text, "http://") || ConsumePrefix(&text, "https://")) &&
      ConsumeSuffix(&text, "/metadata") && ParseHostPort(text).ok()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "http://host:port/metadata, https://host:port/metadata or P2PHANDSHAKE");
}

}  // namespace tandem::cache

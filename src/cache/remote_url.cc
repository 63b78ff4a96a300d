#include "cache/remote_url.h"

#include <fmt/format.h>

namespace tandem::cache {
namespace {

constexpr std::string_view kScheme = "mooncakestore://";
constexpr std::string_view kHostLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
constexpr std::string_view kIpv6Letters = "0123456789abcdefABCDEF:.";

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

absl::StatusOr<HostPort> ParseServerAddress(std::string_view text) {
  absl::StatusOr<HostPort> named = ParseHostPort(text);
  const bool bracketed = text.starts_with('[');
  if (!named.ok() || named->port == 0 ||
      named->host.find_first_not_of(bracketed ? kIpv6Letters : kHostLetters) != std::string::npos) {
    return absl::InvalidArgumentError(
        "host:port with a name or an address and a port from 1 to 65535, such as 10.0.0.1:50051");
  }
  return named;
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
  absl::StatusOr<HostPort> master = ParseServerAddress(text);
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
      ConsumeSuffix(&text, "/metadata") && ParseServerAddress(text).ok()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "http://host:port/metadata, https://host:port/metadata or P2PHANDSHAKE");
}

}  // namespace tandem::cache

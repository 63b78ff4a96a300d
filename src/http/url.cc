#include "http/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/host_port.h"
#include "base/status.h"

namespace tandem::http {
namespace {

absl::Status BadUrl(std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError(
      fmt::format("bad address '{}': {}; accepted is http[s]://HOST[:PORT][/PATH]", text, what));
}

/// The value of one hexadecimal digit, or -1.
int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

bool HasBlankOrControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

absl::StatusOr<int> ParsePort(std::string_view url, std::string_view digits) {
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535) {
    return BadUrl(url, fmt::format("port '{}' is not in 1..65535", digits));
  }
  return port;
}

}  // namespace

std::string Url::Authority() const { return FormatHostPort(host, port); }

std::string Url::Server() const {
  return fmt::format("{}://{}", https ? "https" : "http", Authority());
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  const bool https = text.starts_with("https://");
  const std::string_view scheme = https ? "https://" : "http://";
  if (!text.starts_with(scheme)) return BadUrl(text, "it does not start with http://");
  if (HasBlankOrControl(text)) return BadUrl(text, "it has a blank or a control character");
  std::string_view rest = text.substr(scheme.size());
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  std::string_view target = rest.substr(authority.size());
  target = target.substr(0, target.find('#'));
  if (authority.find('@') != std::string_view::npos) return BadUrl(text, "it has a user name");

  Url url;
  url.https = https;
  url.port = https ? 443 : 80;
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return BadUrl(text, "']' is missing");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
  } else {
    url.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(url.host.size());
  }
  if (url.host.empty()) return BadUrl(text, "it has no host");
  if (url.host.find_first_of("[]") != std::string::npos)
    return BadUrl(text, "its host has a bracket");
  if (!authority.empty()) {
    if (authority.front() != ':') return BadUrl(text, "something stands between host and port");
    ASSIGN_OR_RETURN(url.port, ParsePort(text, authority.substr(1)));
  }
  url.target = target.starts_with('/') ? std::string(target) : fmt::format("/{}", target);
  return url;
}

std::optional<std::string> DecodePercent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::string DecodeQueryPart(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return DecodePercent(spaced).value_or(spaced);
}

std::string EncodePercent(std::string_view text) {
  std::string encoded;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded.push_back(static_cast<char>(c));
    } else {
      encoded += fmt::format("%{:02X}", c);
    }
  }
  return encoded;
}

}  // namespace tandem::http

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::http {

/// The parts of an "http://host:port/path?query" address, or of one with https.
struct Url {
  bool https = false;
  std::string host;    ///< A name or an address; IPv6 without its brackets.
  int port = 80;       ///< 1..65535; 443 by default with https.
  std::string target;  ///< Path and query as they go on the request line; never empty.

  /// "host:port", with brackets around IPv6: names a server, and is what the Host field says.
  std::string Authority() const;
  /// The same with the scheme: names whom a connection is to.
  std::string Server() const;
};

/// InvalidArgument tells the address and what is wrong with it. User names are refused.
absl::StatusOr<Url> ParseUrl(std::string_view text);

/// Replaces every %XX; nothing if a percent sign has no two hexadecimal digits after it.
std::optional<std::string> DecodePercent(std::string_view text);

/// Decodes a name or a value of a query, where '+' stands for a space; wrong escapes stay as they
/// are.
std::string DecodeQueryPart(std::string_view text);

/// Escapes all but letters, digits and "-._~".
std::string EncodePercent(std::string_view text);

}  // namespace tandem::http

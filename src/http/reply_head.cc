#include <fmt/format.h>

#include <boost/beast/http/status.hpp>

#include "absl/strings/match.h"
#include "http/exchange.h"

namespace tandem::http {
namespace {

/// The server frames the body itself, and a line break in a field would start another.
bool MaySend(const std::string& name, const std::string& value) {
  constexpr std::string_view kBreaks("\r\n\0", 3);
  return name.find_first_of(kBreaks) == std::string::npos &&
         value.find_first_of(kBreaks) == std::string::npos &&
         !absl::EqualsIgnoreCase(name, "Content-Length") &&
         !absl::EqualsIgnoreCase(name, "Transfer-Encoding") &&
         !absl::EqualsIgnoreCase(name, "Connection");
}

}  // namespace

std::string EncodeHead(int status, const Headers& headers, int64_t body_bytes, bool chunked,
                       bool keep_alive) {
  const boost::beast::string_view reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\n", status, std::string_view(reason.data(), reason.size()));
  for (const auto& [name, value] : headers) {
    if (MaySend(name, value)) head.append(name).append(": ").append(value).append("\r\n");
  }
  const bool has_body = status >= 200 && status != 204 && status != 304;
  if (has_body && body_bytes >= 0) {
    head += fmt::format("Content-Length: {}\r\n", body_bytes);
  } else if (has_body && chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

}  // namespace tandem::http

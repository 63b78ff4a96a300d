#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/message.h"
#include "http/url.h"

/// What an address is read as reads the same again, and nothing in it can break a request line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = ParseUrl(text); url.ok()) {
    if (url->port < 1 || url->port > 65535 || url->host.empty()) std::abort();
    if (url->target.find_first_of(" \r\n") != std::string::npos) std::abort();
    const auto again = ParseUrl("http://" + url->Authority() + url->target);
    if (!again.ok() || again->host != url->host || again->port != url->port ||
        again->target != url->target) {
      std::abort();
    }
  }
  if (DecodePercent(EncodePercent(text)) != text) std::abort();
  const Request request{.query = std::string(text)};
  request.QueryValue("key");
  return 0;
}

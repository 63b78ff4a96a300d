#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/event_stream.h"

namespace {

std::vector<std::string> Parse(std::string_view bytes, size_t piece) {
  tandem::http::EventParser parser;
  std::vector<std::string> events;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    const absl::Status fed = parser.Feed(
        bytes.substr(i, piece), [&events](std::string_view data) { events.emplace_back(data); });
    if (!fed.ok()) std::abort();
  }
  return events;
}

}  // namespace

/// Events do not depend on how the bytes are cut, and formatted events parse back to the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> events = Parse(bytes, size);
  if (events != Parse(bytes, 1 + data[0] % 16)) std::abort();
  for (const std::string& event : events) {
    if (Parse(tandem::http::FormatEvent(event), 3) != std::vector<std::string>{event}) std::abort();
  }
  return 0;
}

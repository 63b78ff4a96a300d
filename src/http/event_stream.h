#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tandem::http {

/// Splits a stream of server-sent events (WHATWG HTML, "Server-sent events") into the data of its
/// events. Bytes may arrive cut anywhere; lines end with LF, CR or CR LF. Only `data` fields are
/// kept: several of one event are joined by a line feed. Comments and an event without data are
/// skipped. Not safe for use by several threads.
class EventParser {
 public:
  explicit EventParser(size_t max_event_bytes = 64 << 20) : max_event_bytes_(max_event_bytes) {}

  /// Calls `on_event` for every event that `bytes` completes; the view is valid during the call.
  /// ResourceExhausted if an event grows over the limit; the parser is of no further use then.
  absl::Status Feed(std::string_view bytes,
                    const std::function<void(std::string_view data)>& on_event);

 private:
  void EndLine(const std::function<void(std::string_view data)>& on_event);

  size_t max_event_bytes_;
  std::string line_;
  std::string data_;        // Each data field followed by a line feed.
  bool first_line_ = true;  // A byte order mark may stand there.
  bool after_cr_ = false;   // The last byte was a CR: a LF now belongs to the same line end.
};

/// One event with `data`, as it goes on the wire; every line of it becomes a data field.
std::string FormatEvent(std::string_view data);

}  // namespace tandem::http

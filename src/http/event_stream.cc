#include "http/event_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::http {

absl::Status EventParser::Feed(std::string_view bytes,
                               const std::function<void(std::string_view data)>& on_event) {
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    line_.append(bytes.substr(0, end));
    if (line_.size() + data_.size() > max_event_bytes_) {
      return absl::ResourceExhaustedError(
          fmt::format("a server-sent event is longer than {} bytes", max_event_bytes_));
    }
    if (end == bytes.size()) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    EndLine(on_event);
  }
  return absl::OkStatus();
}

void EventParser::EndLine(const std::function<void(std::string_view data)>& on_event) {
  std::string_view line = line_;
  if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    if (!data_.empty()) on_event(std::string_view(data_).substr(0, data_.size() - 1));
    data_.clear();
  } else if (line == "data") {
    data_.push_back('\n');
  } else if (line.starts_with("data:")) {
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    data_.append(line);
    data_.push_back('\n');
  }
  line_.clear();
}

std::string FormatEvent(std::string_view data) {
  std::string event;
  event.reserve(data.size() + 8);
  while (true) {
    const size_t end = data.find_first_of("\r\n");
    event.append("data: ").append(data.substr(0, end)).push_back('\n');
    if (end == std::string_view::npos) break;
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  event.push_back('\n');
  return event;
}

}  // namespace tandem::http

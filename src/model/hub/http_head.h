#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tandem::model::hub {

/// A reply's status and fields, read line by line. Every form of input is taken; what is not
/// understood counts as absent.
class HttpHead {
 public:
  /// Takes a line as it stands in the reply. A status line begins a new head.
  void AddLine(std::string_view line);

  int status() const { return status_; }  ///< 0: no reply came.
  bool ok() const { return status_ >= 200 && status_ < 300; }
  /// The value of a field, by its name in lower case; empty if there is none.
  std::string_view Field(std::string_view name) const;

 private:
  int status_ = 0;
  std::map<std::string, std::string, std::less<>> fields_;
};

/// A number of decimal digits alone; nothing for any other text.
std::optional<int64_t> ParseCount(std::string_view text);

/// "bytes 0-99/1000" of a Content-Range field.
struct ContentRange {
  int64_t first = 0, last = 0;
  int64_t size = -1;  ///< Of the whole; -1 if it says '*'.
};
std::optional<ContentRange> ParseContentRange(std::string_view text);

/// The value of an ETag field without quotes and weakness: what a blob is named by.
std::string_view NormalizeEtag(std::string_view text);

/// How long the server asks to stay away: Retry-After in seconds, else the "t" of the hub's
/// RateLimit field ("\"api\";r=0;t=55").
std::optional<std::chrono::seconds> AskedWait(const HttpHead& head);

}  // namespace tandem::model::hub

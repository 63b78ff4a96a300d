#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/clock.h"
#include "http/event_stream.h"
#include "loadgen/distribution.h"

namespace tandem::loadgen {

/// Takes the times of one streamed completion as its bytes arrive. Not synchronised.
class TokenStream {
 public:
  explicit TokenStream(TimePoint sent) : last_(sent) {}

  void Feed(std::string_view bytes, TimePoint now);
  /// The transport's end; error() tells whether the stream was whole.
  void End(const absl::Status& status);

  /// Empty after a stream that ended with [DONE] and had a token.
  const std::string& error() const { return error_; }
  double seconds_to_first_token() const { return seconds_to_first_; }
  /// Seconds between one event with tokens and the next.
  const Distribution& gaps() const { return gaps_; }
  int64_t prompt_tokens() const { return prompt_tokens_; }
  int64_t completion_tokens() const { return completion_tokens_; }

 private:
  void TakeEvent(std::string_view data, TimePoint now);

  TimePoint last_;  // Of the request, then of the last event with tokens.
  http::EventParser parser_;
  bool started_ = false, done_ = false;
  std::string error_;
  double seconds_to_first_ = 0;
  Distribution gaps_;
  int64_t prompt_tokens_ = 0, completion_tokens_ = 0;
};

}  // namespace tandem::loadgen

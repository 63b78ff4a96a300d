#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/event_stream.h"

namespace tandem::proxy {

/// What is to be done with the stream of a decoder's reply.
struct StreamTreatment {
  bool collect_ids = false;  ///< Remember the token ids, so that another decoder can continue.
  bool strip_ids = false;    ///< The client did not ask for them.
};

/// The stream a client sees, put together from those of one decoder or of several that take over
/// from each other. Bytes go in as they come and come out as they are to be sent. Not safe for use
/// by several threads.
class DecoderStream {
 public:
  explicit DecoderStream(StreamTreatment treatment) : treatment_(treatment) {}

  /// What the client is to be sent for `bytes` of the current decoder.
  std::string Relay(std::string_view bytes);

  /// From here on, bytes are those of another decoder, which continues after ids().
  void Continue();

  /// Every id that the client has been sent the text of.
  std::span<const int32_t> ids() const { return ids_; }
  /// Whether another decoder can go on after ids(): the client has no text whose ids are unknown.
  bool continuable() const { return treatment_.collect_ids && !ids_missing_; }
  /// Whether the end of the stream has passed.
  bool done() const { return done_; }
  /// Whether the choice has ended, so that only usage and the end of the stream may be missing.
  bool finished() const { return finished_; }

 private:
  void RelayEvent(std::string_view data, std::string& out);

  const StreamTreatment treatment_;
  http::EventParser parser_;
  bool continued_ = false;
  bool done_ = false;
  bool finished_ = false;
  bool ids_missing_ = false;
  std::vector<int32_t> ids_;
  std::string first_chunk_;
};

}  // namespace tandem::proxy

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/event_stream.h"
#include "proxy/stream_chunk.h"

namespace tandem::proxy {

/// What is to be done with the stream of a decoder's reply.
struct StreamTreatment {
  bool collect_ids = false;  ///< Remember the token ids, so that another decoder can continue.
  bool strip_ids = false;    ///< The client did not ask for them.
  int choices = 1;           ///< That the stream has.
};

/// How far one of several choices has got.
struct ChoiceProgress {
  std::vector<int32_t> ids;
  std::optional<int> prompt_tokens;
  bool opened = false;  ///< The client has got something of it, so also its role.
  bool finished = false;
};

/// One choice of several as a decoder goes on with it alone.
struct ContinuedChoice {
  std::string first_chunk;  ///< Of the client's stream; empty: there was none.
  ChoicePlace place;
  std::vector<int32_t> ids;  ///< That the client has of it.
};

/// The stream a client sees, put together from those of one decoder or of several that take over
/// from each other. Bytes go in as they come and come out as they are to be sent. Not safe for use
/// by several threads.
class DecoderStream {
 public:
  explicit DecoderStream(StreamTreatment treatment) : treatment_(treatment) {}

  /// From the beginning, bytes are those of a decoder that goes on with one choice of another
  /// stream; usage and the end of the stream are not passed on. Ids must be collected.
  void ContinueChoice(ContinuedChoice choice);

  /// What the client is to be sent for `bytes` of the current decoder.
  std::string Relay(std::string_view bytes);

  /// Has every further event of the current decoder rewritten before anything else is done with it;
  /// null: none. For treatments that collect ids.
  void Translate(std::function<std::string(std::string_view event)> translate) {
    translate_ = std::move(translate);
  }

  /// From here on, bytes are those of another decoder, which continues after ids().
  void Continue();

  /// Every id that the client has been sent the text of.
  std::span<const int32_t> ids() const { return ids_; }
  /// Of a stream of several choices: each that the client has something of.
  const std::map<int, ChoiceProgress>& choices() const { return choices_; }
  const std::string& first_chunk() const { return first_chunk_; }
  /// Of a continued choice, as its usage told.
  std::optional<int> prompt_tokens() const { return prompt_tokens_; }
  /// Whether another decoder can go on after ids(): the client has no text whose ids are unknown.
  bool continuable() const { return treatment_.collect_ids && !ids_missing_; }
  /// What the current decoder said when it ended the stream because it is stopping (503), which is
  /// not passed on: another one may continue. Empty otherwise.
  const std::string& refusal() const { return refusal_; }
  /// Whether the end of the stream has passed.
  bool done() const { return done_; }
  /// Whether every choice has ended, so that only usage and the end of the stream may be missing.
  bool finished() const { return finished_; }

 private:
  void RelayEvent(std::string_view data, std::string& out);
  void NoteProgress(std::string_view chunk);

  const StreamTreatment treatment_;
  http::EventParser parser_;
  std::function<std::string(std::string_view)> translate_;
  bool continued_ = false;
  bool done_ = false;
  bool finished_ = false;
  bool ids_missing_ = false;
  std::string refusal_;
  std::vector<int32_t> ids_;
  std::string first_chunk_;
  std::map<int, ChoiceProgress> choices_;
  int ended_choices_ = 0;
  std::optional<ChoicePlace> place_;  // Of a continued choice.
  std::optional<int> prompt_tokens_;
};

}  // namespace tandem::proxy

#include "proxy/decoder_stream.h"

#include <utility>

#include "base/log.h"

namespace tandem::proxy {

std::string DecoderStream::Relay(std::string_view bytes) {
  std::string out;
  const absl::Status fed =
      parser_.Feed(bytes, [this, &out](std::string_view data) { RelayEvent(data, out); });
  if (!fed.ok()) spdlog::error("a decoder's stream cannot be relayed: {}", fed.ToString());
  // What needs no change passes byte for byte, comments and all.
  return treatment_.collect_ids ? out : std::string(bytes);
}

void DecoderStream::Continue() {
  parser_ = http::EventParser();
  refusal_.clear();
  translate_ = nullptr;
  continued_ = true;
}

void DecoderStream::ContinueChoice(ContinuedChoice choice) {
  continued_ = true;
  first_chunk_ = std::move(choice.first_chunk);
  place_ = choice.place;
  ids_ = std::move(choice.ids);
}

void DecoderStream::NoteProgress(std::string_view chunk) {
  if (treatment_.choices == 1) {
    const size_t known = ids_.size();
    CollectTokenIds(chunk, ids_);
    if (HasFinishReason(chunk)) finished_ = true;
    if (ids_.size() == known && HasText(chunk)) ids_missing_ = true;
    return;
  }
  for (const ChoiceNews& news : ReadChoices(chunk)) {
    ChoiceProgress& progress = choices_[news.choice];
    progress.opened = true;
    if (news.finished && !std::exchange(progress.finished, true)) ++ended_choices_;
    progress.ids.insert(progress.ids.end(), news.ids.begin(), news.ids.end());
    if (news.prompt_tokens) progress.prompt_tokens = news.prompt_tokens;
    if (news.ids.empty() && news.has_text && !news.finished) ids_missing_ = true;
  }
  finished_ = ended_choices_ == treatment_.choices;
}

void DecoderStream::RelayEvent(std::string_view data, std::string& out) {
  if (treatment_.collect_ids && refusal_.empty()) refusal_ = Refusal(data);
  if (!refusal_.empty()) return;
  if (data == "[DONE]") done_ = true;
  if (!treatment_.collect_ids) return;
  if (done_) {
    if (!place_) out += http::FormatEvent(data);
    return;
  }
  std::string chunk = translate_ ? translate_(data) : std::string(data);
  NoteProgress(chunk);
  if (place_) {
    if (const std::optional<int> tokens = PromptTokensOfUsage(chunk)) {
      prompt_tokens_ = tokens;
      return;
    }
  }
  if (treatment_.strip_ids) {
    StripTokenIds(chunk);
    if (IsEmptyChunk(chunk)) return;
  }
  if (continued_ && !first_chunk_.empty()) {
    chunk = ContinueChunk(chunk, first_chunk_, place_.value_or(ChoicePlace()));
  }
  if (chunk.empty()) return;
  if (place_) place_->opened = true;
  if (first_chunk_.empty()) first_chunk_ = chunk;
  out += http::FormatEvent(chunk);
}

}  // namespace tandem::proxy

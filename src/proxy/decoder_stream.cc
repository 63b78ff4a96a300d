#include "proxy/decoder_stream.h"

#include "base/log.h"
#include "proxy/stream_chunk.h"

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
  continued_ = true;
}

void DecoderStream::RelayEvent(std::string_view data, std::string& out) {
  if (data == "[DONE]") done_ = true;
  if (!treatment_.collect_ids) return;
  if (done_) {
    out += http::FormatEvent(data);
    return;
  }
  std::string chunk(data);
  const size_t known = ids_.size();
  CollectTokenIds(chunk, ids_);
  if (HasFinishReason(chunk)) finished_ = true;
  if (ids_.size() == known && HasText(chunk)) ids_missing_ = true;
  if (treatment_.strip_ids) {
    StripTokenIds(chunk);
    if (IsEmptyChunk(chunk)) return;
  }
  if (continued_ && !first_chunk_.empty()) chunk = ContinueChunk(chunk, first_chunk_);
  if (chunk.empty()) return;
  if (first_chunk_.empty()) first_chunk_ = chunk;
  out += http::FormatEvent(chunk);
}

}  // namespace tandem::proxy

#include "http/exchange.h"

#include <fmt/format.h>

#include <utility>

#include "absl/strings/match.h"
#include "http/error.h"

namespace tandem::http {

Exchange::Exchange(std::shared_ptr<ReplySink> sink, ReplyFraming framing)
    : framing_(framing), sink_(std::move(sink)) {}

Exchange::~Exchange() {
  Respond(ErrorResponse(500, "the request was dropped without an answer"));
  MutexLock lock(mutex_);
  // A connection that ends before the last chunk tells the client that something is missing.
  if (state_ == State::kStreaming) sink_->Send("", ReplyPart::kLastThenClose);
}

void Exchange::Respond(Response response) {
  std::function<void()> dropped;  // Destroyed without the lock: it may hold this exchange's users.
  MutexLock lock(mutex_);
  if (state_ != State::kPending) return;
  const ReplyPart part = End(response.headers);
  std::string bytes =
      EncodeHead(response.status, response.headers, static_cast<int64_t>(response.body.size()),
                 framing_.chunked, part == ReplyPart::kLast);
  if (!framing_.head_only) bytes += response.body;
  state_ = State::kDone;
  dropped.swap(on_close_);
  std::exchange(sink_, nullptr)->Send(std::move(bytes), part);
}

void Exchange::StartStream(int status, Headers headers) {
  MutexLock lock(mutex_);
  if (state_ != State::kPending) return;
  stream_end_ = framing_.chunked ? End(headers) : ReplyPart::kLastThenClose;
  state_ = State::kStreaming;
  sink_->Send(EncodeHead(status, headers, -1, framing_.chunked, stream_end_ == ReplyPart::kLast),
              ReplyPart::kMore);
}

void Exchange::Write(std::string part) {
  MutexLock lock(mutex_);
  // An empty chunk would end the body.
  if (state_ != State::kStreaming || framing_.head_only || part.empty()) return;
  if (framing_.chunked) part = fmt::format("{:x}\r\n{}\r\n", part.size(), part);
  sink_->Send(std::move(part), ReplyPart::kMore);
}

void Exchange::Finish() {
  std::function<void()> dropped;
  MutexLock lock(mutex_);
  if (state_ != State::kStreaming) return;
  state_ = State::kDone;
  dropped.swap(on_close_);
  const bool end_chunk = framing_.chunked && !framing_.head_only;
  std::exchange(sink_, nullptr)->Send(end_chunk ? "0\r\n\r\n" : "", stream_end_);
}

void Exchange::OnClose(std::function<void()> closed) {
  {
    MutexLock lock(mutex_);
    if (state_ == State::kPending || state_ == State::kStreaming) {
      on_close_.swap(closed);
      return;
    }
    if (state_ == State::kDone) return;
  }
  closed();
}

void Exchange::PeerGone() {
  std::function<void()> closed;
  std::shared_ptr<ReplySink> sink;
  {
    MutexLock lock(mutex_);
    if (state_ == State::kDone || state_ == State::kGone) return;
    state_ = State::kGone;
    closed.swap(on_close_);
    sink.swap(sink_);
  }
  if (closed) closed();
}

ReplyPart Exchange::End(const Headers& headers) const {
  const bool close = !framing_.keep_alive || sink_->closing() ||
                     absl::EqualsIgnoreCase(headers.Get("Connection").value_or(""), "close");
  return close ? ReplyPart::kLastThenClose : ReplyPart::kLast;
}

}  // namespace tandem::http

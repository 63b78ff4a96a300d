#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "http/response_writer.h"

namespace tandem::http {

/// What stands behind a piece of a reply.
enum class ReplyPart { kMore, kLast, kLastThenClose };

/// Where an exchange puts the bytes of its reply: a server's connection. Safe for use by several
/// threads; Send does not wait, nor call back into the exchange before it returns.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void Send(std::string bytes, ReplyPart part) = 0;
  /// Whether the connection is to end with this reply, whatever the client asked for.
  virtual bool closing() const = 0;
};

/// What a request says about the shape of its reply.
struct ReplyFraming {
  bool head_only = false;  ///< HEAD.
  bool chunked = true;     ///< False for HTTP/1.0: a streamed body then ends with the connection.
  bool keep_alive = true;
};

/// One request's reply: turns a handler's calls into bytes for the connection.
class Exchange : public ResponseWriter {
 public:
  Exchange(std::shared_ptr<ReplySink> sink, ReplyFraming framing);
  ~Exchange() override;

  void Respond(Response response) override;
  void StartStream(int status, Headers headers) override;
  void Write(std::string part) override;
  void Finish() override;
  void OnClose(std::function<void()> closed) override;

  /// The connection is gone. Lets go of it and, unless the reply is complete, calls the callback.
  void PeerGone();

 private:
  enum class State { kPending, kStreaming, kDone, kGone };

  ReplyPart End(const Headers& headers) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ReplyFraming framing_;
  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kPending;
  ReplyPart stream_end_ ABSL_GUARDED_BY(mutex_) = ReplyPart::kLast;
  std::shared_ptr<ReplySink> sink_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_close_ ABSL_GUARDED_BY(mutex_);
};

/// The head of a reply: status line, `headers` and those that frame the body. `body_bytes` < 0
/// means one that is streamed.
std::string EncodeHead(int status, const Headers& headers, int64_t body_bytes, bool chunked,
                       bool keep_alive);

}  // namespace tandem::http

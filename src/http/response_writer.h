#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/message.h"

namespace tandem::http {

/// Where a handler answers one request: once with Respond, or with StartStream, any number of Write
/// and one Finish. Safe for use by several threads; calls return at once and the bytes leave in the
/// order of the calls. After the client has gone away every call is ignored. Letting go of the last
/// reference without an answer sends a 500.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;

  virtual void Respond(Response response) = 0;

  /// Sends the head of a reply whose body follows in parts (chunked transfer coding).
  virtual void StartStream(int status, Headers headers) = 0;
  virtual void Write(std::string part) = 0;
  virtual void Finish() = 0;

  /// Calls `closed`, once and on a server thread, if the client goes away before the reply is
  /// complete (at once if it already has). Replaces an earlier callback. Once the reply is complete
  /// the callback is dropped without a call.
  virtual void OnClose(std::function<void()> closed) = 0;
};

/// Answers a request, now or later; runs on a server thread and must not block it.
using Handler = std::function<void(Request request, std::shared_ptr<ResponseWriter> writer)>;

}  // namespace tandem::http

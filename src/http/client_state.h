#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/client.h"
#include "http/io_threads.h"
#include "http/stream.h"

namespace tandem::http {

/// What the calls of a client share: its threads, the connections kept for reuse, and the list of
/// calls in flight. Safe for use by several threads. Internal.
class ClientState {
 public:
  ClientState(int threads, TlsContext tls) : tls_(std::move(tls)), threads_(threads) {}

  IoThreads& threads() { return threads_; }
  /// What https takes; may be null.
  const TlsContext& tls() const { return tls_; }

  /// A connection to `server` that its server has not closed as far as is known, or null.
  std::shared_ptr<Stream> TakeConnection(const std::string& server);
  void KeepConnection(const std::string& server, std::shared_ptr<Stream> stream);

  /// False once the client is closing: the call must not start.
  bool Add(const std::shared_ptr<Call>& call);
  void Remove(const Call* call);
  /// Cancels every call, refuses new ones and closes the kept connections.
  void Close();

 private:
  struct KeptConnection {
    std::shared_ptr<Stream> stream;
    TimePoint since;
  };

  const TlsContext tls_;
  IoThreads threads_;
  Mutex mutex_;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::vector<KeptConnection>> kept_ ABSL_GUARDED_BY(mutex_);
  std::map<const Call*, std::weak_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::http

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "http/io_threads.h"
#include "http/server.h"

namespace tandem::http {

class ServerConnection;

/// What the connections of a server share. Safe for use by several threads. Internal.
class ServerState {
 public:
  ServerState(const ServerOptions& options, Handler handler);

  const ServerOptions& options() const { return options_; }
  const Handler& handler() const { return handler_; }
  IoThreads& threads() { return threads_; }

  /// Set once: every reply is then the last of its connection, and no connection is added.
  void StartStopping();
  bool stopping() const { return stopping_.load(); }

  /// False once the server is stopping: the connection must not start.
  bool Add(const std::shared_ptr<ServerConnection>& connection);
  void Remove(const ServerConnection* connection);
  std::vector<std::shared_ptr<ServerConnection>> Connections() const;
  /// Returns whether no connection is left.
  bool WaitUntilEmpty(TimePoint deadline);

 private:
  const ServerOptions options_;
  const Handler handler_;
  IoThreads threads_;
  std::atomic<bool> stopping_ = false;
  mutable Mutex mutex_;
  CondVar removed_;
  std::map<const ServerConnection*, std::weak_ptr<ServerConnection>> connections_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::http

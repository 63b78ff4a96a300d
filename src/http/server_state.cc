#include "http/server_state.h"

#include <utility>

namespace tandem::http {

ServerState::ServerState(const ServerOptions& options, Handler handler)
    : options_(options), handler_(std::move(handler)), threads_(options.threads) {}

void ServerState::StartStopping() {
  // With the lock: whatever Add has let in is among Connections() from here on.
  MutexLock lock(mutex_);
  stopping_.store(true);
}

bool ServerState::Add(const std::shared_ptr<ServerConnection>& connection) {
  MutexLock lock(mutex_);
  if (stopping_.load()) return false;
  connections_[connection.get()] = connection;
  return true;
}

void ServerState::Remove(const ServerConnection* connection) {
  MutexLock lock(mutex_);
  connections_.erase(connection);
  removed_.NotifyAll();
}

std::vector<std::shared_ptr<ServerConnection>> ServerState::Connections() const {
  std::vector<std::shared_ptr<ServerConnection>> connections;
  MutexLock lock(mutex_);
  for (const auto& [key, weak] : connections_) {
    if (auto connection = weak.lock()) connections.push_back(std::move(connection));
  }
  return connections;
}

bool ServerState::WaitUntilEmpty(TimePoint deadline) {
  MutexLock lock(mutex_);
  return removed_.WaitUntil(
      mutex_, deadline, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return connections_.empty(); });
}

}  // namespace tandem::http

#include "http/client_state.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace tandem::http {
namespace {

constexpr size_t kKeptPerServer = 256;
constexpr Duration kKeptTime = std::chrono::seconds(30);

/// Whether nothing is to be read: a closed connection reads as its end, and bytes that nobody asked
/// for belong to no reply.
bool IsQuiet(boost::asio::ip::tcp::socket& socket) {
  char byte;
  const ssize_t read = recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return read < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

std::shared_ptr<Stream> ClientState::TakeConnection(const std::string& server) {
  MutexLock lock(mutex_);
  const auto found = kept_.find(server);
  if (found == kept_.end()) return nullptr;
  std::vector<KeptConnection>& connections = found->second;
  const TimePoint oldest = Clock::Real().Now() - kKeptTime;
  while (!connections.empty()) {
    KeptConnection connection = std::move(connections.back());
    connections.pop_back();
    if (connection.since >= oldest && IsQuiet(connection.stream->socket())) {
      return std::move(connection.stream);
    }
  }
  return nullptr;
}

void ClientState::KeepConnection(const std::string& server, std::shared_ptr<Stream> stream) {
  const TimePoint now = Clock::Real().Now();
  MutexLock lock(mutex_);
  if (closing_) return;
  for (auto& [name, connections] : kept_) {
    std::erase_if(connections, [now](const KeptConnection& connection) {
      return connection.since < now - kKeptTime;
    });
  }
  std::vector<KeptConnection>& connections = kept_[server];
  if (connections.size() < kKeptPerServer) connections.push_back({std::move(stream), now});
}

bool ClientState::Add(const std::shared_ptr<Call>& call) {
  MutexLock lock(mutex_);
  if (!closing_) calls_[call.get()] = call;
  return !closing_;
}

void ClientState::Remove(const Call* call) {
  MutexLock lock(mutex_);
  calls_.erase(call);
}

void ClientState::Close() {
  std::vector<std::shared_ptr<Call>> calls;
  {
    MutexLock lock(mutex_);
    closing_ = true;
    kept_.clear();
    for (const auto& [key, weak] : calls_) {
      if (auto call = weak.lock()) calls.push_back(std::move(call));
    }
  }
  for (const auto& call : calls) call->Cancel();
}

}  // namespace tandem::http

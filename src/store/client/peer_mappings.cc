#include "store/client/peer_mappings.h"

#include <vector>

#include "base/status.h"

namespace tandem::store {

using transfer::SharedMemoryPeer;
using transfer::SharedMemoryWriters;

absl::StatusOr<std::shared_ptr<SharedMemoryPeer>> PeerMappings::Get(const std::string& socket_name,
                                                                    TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    const auto found = peers_.find(socket_name);
    if (found != peers_.end() && !found->second->broken()) return found->second;
  }
  // Two threads may both connect; the later mapping stays, the other ends with its reads.
  ASSIGN_OR_RETURN(std::shared_ptr<SharedMemoryPeer> peer,
                   SharedMemoryPeer::Connect(socket_name, deadline));
  MutexLock lock(mutex_);
  peers_[socket_name] = peer;
  return peer;
}

absl::StatusOr<std::shared_ptr<SharedMemoryWriters>> PeerMappings::Writers(
    const std::string& socket_name, TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    const auto found = writers_.find(socket_name);
    if (found != writers_.end() && !found->second->broken()) return found->second;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<SharedMemoryWriters> writers,
                   SharedMemoryWriters::Connect(socket_name, deadline));
  MutexLock lock(mutex_);
  writers_[socket_name] = writers;
  return writers;
}

void PeerMappings::Tidy() {
  std::vector<std::shared_ptr<SharedMemoryPeer>> peers;
  {
    MutexLock lock(mutex_);
    std::erase_if(peers_, [](const auto& entry) { return entry.second->broken(); });
    std::erase_if(writers_, [](const auto& entry) { return entry.second->broken(); });
    for (const auto& [name, peer] : peers_) peers.push_back(peer);
  }
  for (const auto& peer : peers) peer->Flush();
}

}  // namespace tandem::store

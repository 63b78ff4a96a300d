#include "store/master/client_table.h"

#include <algorithm>

namespace tandem::store {
namespace {

constexpr Duration kForgetAfter = std::chrono::hours(24);
constexpr size_t kRemovalsPerResponse = 20'000;

}  // namespace

ClientTable::Client& ClientTable::Find(const std::string& client_id) {
  return clients_.try_emplace(client_id, Client{.acknowledged = first_sequence_}).first->second;
}

void ClientTable::Hear(const std::string& client_id, TimePoint now) {
  Client& client = Find(client_id);
  client.last_heard = now;
  if (!client.active) ++active_;
  client.active = true;
}

std::vector<std::string> ClientTable::TakeSilent(TimePoint now, Duration ttl) {
  std::vector<std::string> silent;
  for (auto it = clients_.begin(); it != clients_.end();) {
    Client& client = it->second;
    if (client.active && now - client.last_heard >= ttl) {
      client.active = false;
      --active_;
      silent.push_back(it->first);
    }
    const auto current = it++;
    if (!client.active && now - client.last_heard >= kForgetAfter) clients_.erase(current);
  }
  return silent;
}

void ClientTable::AddRemoval(const std::string& owner, const std::string& key,
                             const proto::Extent& extent) {
  Client& client = Find(owner);
  proto::ObjectExtent removal;
  removal.set_key(key);
  *removal.mutable_extent() = extent;
  client.removals.push_back(std::move(removal));
  client.removed_generations.insert(extent.generation());
}

void ClientTable::ListRemovals(const std::string& client_id, proto::PingResponse& response) const {
  const auto it = clients_.find(client_id);
  if (it == clients_.end()) return;
  const Client& client = it->second;
  const size_t count = std::min(client.removals.size(), kRemovalsPerResponse);
  for (size_t i = 0; i < count; ++i) *response.add_removed() = client.removals[i];
  response.set_sequence(client.acknowledged + count);
}

void ClientTable::Acknowledge(const std::string& client_id, uint64_t sequence) {
  Client& client = Find(client_id);
  while (client.acknowledged < sequence && !client.removals.empty()) {
    client.removed_generations.erase(client.removals.front().extent().generation());
    client.removals.pop_front();
    ++client.acknowledged;
  }
}

bool ClientTable::AwaitsRemoval(const std::string& owner, uint64_t generation) const {
  const auto it = clients_.find(owner);
  return it != clients_.end() && it->second.removed_generations.contains(generation);
}

}  // namespace tandem::store

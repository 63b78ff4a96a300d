#include "store/master/client_table.h"

#include <algorithm>
#include <limits>

namespace tandem::store {
namespace {

constexpr Duration kForgetAfter = std::chrono::hours(24);
constexpr size_t kRemovalsPerResponse = 20'000;

}  // namespace

ClientTable::Client& ClientTable::Find(const std::string& client_id) {
  return clients_.try_emplace(client_id, Client{.acknowledged = first_sequence_}).first->second;
}

size_t ClientTable::NumberOfMap(const std::string& key) {
  // The maps' own hash uses the lower bits.
  return absl::Hash<std::string>{}(key) >> (std::numeric_limits<size_t>::digits - 8);
}

void ClientTable::Hear(const std::string& client_id, TimePoint now) {
  Client& client = Find(client_id);
  client.last_heard = now;
  if (!client.active) ++active_;
  client.active = true;
}

void ClientTable::Forgive(Duration stall) {
  for (auto& [id, client] : clients_) client.last_heard += stall;
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
    if (client.active || now - client.last_heard < kForgetAfter) continue;
    Leave(current->first);
    clients_.erase(current);
  }
  return silent;
}

void ClientTable::Join(const std::string& client_id, const std::string& data_endpoint) {
  Find(client_id).data_endpoint = data_endpoint;
}

void ClientTable::Leave(const std::string& client_id) {
  Client& client = Find(client_id);
  while (!client.removals.empty()) PopRemoval(client_id, client);
  client.changed->NotifyAll();
}

void ClientTable::AddRemoval(const std::string& owner, proto::ObjectExtent removal,
                             bool may_be_on_disk) {
  const auto found = clients_.try_emplace(owner, Client{.acknowledged = first_sequence_}).first;
  Client& client = found->second;
  const proto::Extent& extent = removal.extent();
  client.removed[extent.on_disk()].insert(extent.generation());
  removals_by_key_[NumberOfMap(removal.key())][removal.key()].push_back(
      {&found->first, client.acknowledged + client.removals.size() + 1, may_be_on_disk});
  client.removals.push_back(std::move(removal));
  client.changed->NotifyAll();
}

bool ClientTable::ListRemovals(const std::string& client_id, proto::PingResponse& response) const {
  const auto it = clients_.find(client_id);
  if (it == clients_.end()) return true;
  const Client& client = it->second;
  const size_t count = std::min(client.removals.size(), kRemovalsPerResponse);
  for (size_t i = 0; i < count; ++i) *response.add_removed() = client.removals[i];
  response.set_sequence(client.acknowledged + count);
  return count == client.removals.size();
}

bool ClientTable::HasRemovals(const std::string& client_id) const {
  const auto it = clients_.find(client_id);
  return it != clients_.end() && !it->second.removals.empty();
}

void ClientTable::Acknowledge(const std::string& client_id, uint64_t sequence) {
  Client& client = Find(client_id);
  if (client.acknowledged >= sequence || client.removals.empty()) return;
  while (client.acknowledged < sequence && !client.removals.empty()) PopRemoval(client_id, client);
  client.changed->NotifyAll();
}

void ClientTable::PopRemoval(const std::string& client_id, Client& client) {
  const proto::ObjectExtent& removal = client.removals.front();
  client.removed[removal.extent().on_disk()].erase(removal.extent().generation());
  ++client.acknowledged;
  RemovalsByKey& removals = removals_by_key_[NumberOfMap(removal.key())];
  const auto of_key = removals.find(removal.key());
  std::erase_if(of_key->second, [&](const Removal& pending) {
    return *pending.client_id == client_id && pending.sequence == client.acknowledged;
  });
  if (of_key->second.empty()) removals.erase(of_key);
  client.removals.pop_front();
}

bool ClientTable::AwaitsRemoval(const std::string& owner, uint64_t generation, bool on_disk) const {
  const auto it = clients_.find(owner);
  return it != clients_.end() && it->second.removed[on_disk].contains(generation);
}

std::vector<std::string> ClientTable::TakeOverDisk(const std::string& disk_id,
                                                   const std::string& client_id) {
  std::vector<std::string> ended;
  for (auto& [id, client] : clients_) {
    if (id == client_id || client.disk_id != disk_id) continue;
    client.disk_id.clear();
    ended.push_back(id);
  }
  Find(client_id).disk_id = disk_id;
  return ended;
}

std::vector<proto::PendingOwner> ClientTable::PendingFor(const std::string& key) const {
  std::vector<proto::PendingOwner> owners;
  const RemovalsByKey& removals = removals_by_key_[NumberOfMap(key)];
  const auto of_key = removals.find(key);
  if (of_key == removals.end()) return owners;
  for (const Removal& pending : of_key->second) {
    proto::PendingOwner owner;
    owner.set_client_id(*pending.client_id);
    owner.set_sequence(pending.sequence);
    owner.set_on_disk(pending.may_be_on_disk);
    owner.set_data_endpoint(clients_.find(*pending.client_id)->second.data_endpoint);
    owners.push_back(std::move(owner));
  }
  return owners;
}

bool ClientTable::HasAcknowledged(const std::string& client_id, uint64_t sequence) const {
  const auto it = clients_.find(client_id);
  return it == clients_.end() || it->second.acknowledged >= sequence || it->second.removals.empty();
}

std::shared_ptr<CondVar> ClientTable::Changed(const std::string& client_id) {
  return Find(client_id).changed;
}

void ClientTable::WakeAll() {
  for (auto& [id, client] : clients_) client.changed->NotifyAll();
}

}  // namespace tandem::store

#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// The clients, when they were last heard of, and which extents each owner has yet to be told to
/// forget. Not synchronised, but for what waits on Changed().
class ClientTable {
 public:
  /// Sequence numbers of removals rise from `first_sequence`; a later life of the master starts
  /// above those of an earlier one, so that an acknowledgement meant for that one confirms nothing
  /// here.
  explicit ClientTable(uint64_t first_sequence) : first_sequence_(first_sequence) {}

  /// Records a sign of life.
  void Hear(const std::string& client_id, TimePoint now);

  /// Nobody could be heard for so long: it counts as no silence of theirs.
  void Forgive(Duration stall);

  /// Clients that have been silent for `ttl`, each once until it is heard of again. A day later
  /// they are forgotten altogether.
  std::vector<std::string> TakeSilent(TimePoint now, Duration ttl);

  /// The client mounts a segment, with its directory in the process that serves `data_endpoint`.
  void Join(const std::string& client_id, const std::string& data_endpoint);
  /// The client gives its segment back, and its directory with it: nothing is left to be forgotten.
  void Leave(const std::string& client_id);

  /// Notes that `owner` is to drop this extent from its directory, or from its disk.
  /// `may_be_on_disk`: where a later process of that owner would find it.
  void AddRemoval(const std::string& owner, proto::ObjectExtent removal, bool may_be_on_disk);
  /// Fills in the removals that the client has not acknowledged, oldest first, as many as one
  /// response may carry. Whether these are all.
  bool ListRemovals(const std::string& client_id, proto::PingResponse& response) const;
  bool HasRemovals(const std::string& client_id) const;
  /// The client has forgotten everything up to this sequence number.
  void Acknowledge(const std::string& client_id, uint64_t sequence);
  /// Whether the removal of that generation, from memory or from disk, awaits the owner's
  /// acknowledgement.
  bool AwaitsRemoval(const std::string& owner, uint64_t generation, bool on_disk = false) const;

  /// The client uses that directory on disk, which one process at a time can: returns the clients
  /// that used it before and have not left.
  std::vector<std::string> TakeOverDisk(const std::string& disk_id, const std::string& client_id);

  /// The owners that have yet to forget an object of that key, with the last sequence number each
  /// is to acknowledge for it.
  std::vector<proto::PendingOwner> PendingFor(const std::string& key) const;
  bool HasAcknowledged(const std::string& client_id, uint64_t sequence) const;
  /// Whether a sequence number was given out by this life of the master.
  bool IsOfThisLife(uint64_t sequence) const { return sequence > first_sequence_; }
  /// Told whenever a removal of the client is added or acknowledged. Shared with those who wait.
  std::shared_ptr<CondVar> Changed(const std::string& client_id);
  void WakeAll();

  size_t active_count() const { return active_; }

 private:
  struct Client {
    TimePoint last_heard;
    bool active = false;
    uint64_t acknowledged;
    std::string data_endpoint;
    std::string disk_id;
    std::deque<proto::ObjectExtent> removals;  // the first has sequence acknowledged + 1
    /// Generations of `removals`: of those from memory and, second, from disk.
    std::array<absl::flat_hash_set<uint64_t>, 2> removed;
    std::shared_ptr<CondVar> changed = std::make_shared<CondVar>();
  };
  struct Removal {
    const std::string* client_id;  // the key in clients_
    uint64_t sequence;
    bool may_be_on_disk;
  };

  using RemovalsByKey = absl::flat_hash_map<std::string, std::vector<Removal>>;
  static constexpr size_t kMaps = 256;

  Client& Find(const std::string& client_id);
  static size_t NumberOfMap(const std::string& key);
  void PopRemoval(const std::string& client_id, Client& client);

  const uint64_t first_sequence_;
  absl::node_hash_map<std::string, Client> clients_;
  /// Not acknowledged. In many small maps: one of a million keys would stop all for as long as it
  /// takes to grow.
  std::array<RemovalsByKey, kMaps> removals_by_key_;
  size_t active_ = 0;
};

}  // namespace tandem::store

#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// The clients, when they were last heard of, and which extents each owner has yet to be told to
/// forget. Not synchronised.
class ClientTable {
 public:
  /// Sequence numbers of removals rise from `first_sequence`; a later life of the master starts
  /// above those of an earlier one, so that an acknowledgement meant for that one confirms nothing
  /// here.
  explicit ClientTable(uint64_t first_sequence) : first_sequence_(first_sequence) {}

  /// Records a sign of life.
  void Hear(const std::string& client_id, TimePoint now);

  /// Clients that have been silent for `ttl`, each once until it is heard of again. A day later
  /// they are forgotten altogether.
  std::vector<std::string> TakeSilent(TimePoint now, Duration ttl);

  /// Notes that `owner` is to drop this extent from its directory.
  void AddRemoval(const std::string& owner, const std::string& key, const proto::Extent& extent);
  /// Fills in the removals that the client has not acknowledged, oldest first, as many as one
  /// response may carry.
  void ListRemovals(const std::string& client_id, proto::PingResponse& response) const;
  /// The client has forgotten everything up to this sequence number.
  void Acknowledge(const std::string& client_id, uint64_t sequence);
  /// Whether the removal of that generation awaits the owner's acknowledgement.
  bool AwaitsRemoval(const std::string& owner, uint64_t generation) const;

  size_t active_count() const { return active_; }

 private:
  struct Client {
    TimePoint last_heard;
    bool active = false;
    uint64_t acknowledged;
    std::deque<proto::ObjectExtent> removals;           // the first has sequence acknowledged + 1
    absl::flat_hash_set<uint64_t> removed_generations;  // of `removals`
  };

  Client& Find(const std::string& client_id);

  const uint64_t first_sequence_;
  absl::flat_hash_map<std::string, Client> clients_;
  size_t active_ = 0;
};

}  // namespace tandem::store

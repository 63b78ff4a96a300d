#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace tandem::store {

struct EtcdLease {
  std::string id;
  Duration ttl;  ///< Which may be longer than what was asked for.
};

// What etcd's JSON gateway answers. Unavailable, quoting it, for what is no such answer.

/// Of /v3/lease/grant.
absl::StatusOr<EtcdLease> ParseGrantedLease(const std::string& reply);
/// Of /v3/lease/keepalive: false if the lease has run out.
absl::StatusOr<bool> ParseKeptAlive(const std::string& reply);
/// Of /v3/kv/range: the value of `key`, if it is there.
absl::StatusOr<std::optional<std::string>> ParseValue(const std::string& key,
                                                      const std::string& reply);
/// Of /v3/kv/txn: whether its condition held.
absl::StatusOr<bool> ParseSucceeded(const std::string& reply);

}  // namespace tandem::store

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "http/client.h"
#include "store/etcd/etcd_reply.h"

namespace tandem::store {

/// The few calls of etcd's v3 API that an election needs, over its JSON gateway. Every call tries
/// the endpoints in turn, beginning with the one that answered last, and ends by its deadline:
/// Unavailable if none answers. Safe for use by several threads.
class EtcdClient {
 public:
  /// `endpoints`: "http://host:port", of one cluster.
  explicit EtcdClient(std::vector<std::string> endpoints);

  using Lease = EtcdLease;
  absl::StatusOr<Lease> GrantLease(int64_t seconds, TimePoint deadline);
  /// False if the lease has run out.
  absl::StatusOr<bool> KeepAlive(const Lease& lease, TimePoint deadline);
  absl::Status Revoke(const Lease& lease, TimePoint deadline);

  absl::StatusOr<std::optional<std::string>> Get(const std::string& key, TimePoint deadline);
  /// Puts a key that is not there, for as long as the lease lasts. False if it is there.
  absl::StatusOr<bool> Create(const std::string& key, const std::string& value, const Lease& lease,
                              TimePoint deadline);
  /// Puts a key if `guard` still has the value `expected`. False if it has not.
  absl::StatusOr<bool> PutWhile(const std::string& guard, const std::string& expected,
                                const std::string& key, const std::string& value,
                                TimePoint deadline);

 private:
  /// Posts JSON; the reply's JSON.
  absl::StatusOr<std::string> Post(const std::string& path, const std::string& body,
                                   TimePoint deadline);

  const std::vector<std::string> endpoints_;
  const std::unique_ptr<http::Client> http_;
  std::atomic<size_t> current_ = 0;
};

/// Takes "http://a:2379,b:2379" or with semicolons apart; http:// may be left out. InvalidArgument
/// says what is expected.
absl::StatusOr<std::vector<std::string>> ParseEtcdEndpoints(const std::string& text);

}  // namespace tandem::store

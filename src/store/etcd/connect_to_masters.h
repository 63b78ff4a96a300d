#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/security.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// What master_server_address begins with if it names etcd, as Mooncake has it.
inline constexpr char kEtcdScheme[] = "etcd://";

/// InvalidArgument for what is no "etcd://host:port", or several with commas or semicolons between
/// them.
absl::Status CheckEtcdAddress(const std::string& address);

/// The "host:port" of one of the masters at `address`, as ConnectToMasters takes it; of etcd's, of
/// the one that leads. Unavailable if none does.
absl::StatusOr<std::string> FindMaster(const std::string& address, TimePoint deadline);

/// A client of the masters at `address`: one that MasterClient::Connect takes, or one of etcd's.
/// Then it follows whichever master leads the cluster that the environment names in
/// MC_STORE_CLUSTER_ID, by default mooncake_cluster.
absl::StatusOr<std::unique_ptr<MasterClient>> ConnectToMasters(const std::string& address,
                                                               const Security& security);

}  // namespace tandem::store

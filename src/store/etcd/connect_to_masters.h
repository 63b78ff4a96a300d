#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/security.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// What master_server_address begins with if it names etcd, as Mooncake has it.
inline constexpr char kEtcdScheme[] = "etcd://";

/// InvalidArgument for what is no "etcd://host:port", or several of one etcd with commas or
/// semicolons between them.
absl::Status CheckEtcdAddress(const std::string& address);

/// One "host:port" of those that such an address, or one of MasterClient::Connect, names.
std::string FirstServer(const std::string& address);

/// A client of the masters at `address`: one that MasterClient::Connect takes, or one of etcd's.
/// Then it follows whichever master leads the cluster that the environment names in
/// MC_STORE_CLUSTER_ID, by default mooncake_cluster.
absl::StatusOr<std::unique_ptr<MasterClient>> ConnectToMasters(const std::string& address,
                                                               const Security& security);

}  // namespace tandem::store

#include "store/etcd/connect_to_masters.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "store/etcd/leader_lookup.h"

namespace tandem::store {
namespace {

absl::StatusOr<std::vector<std::string>> EndpointsOf(const std::string& address) {
  auto endpoints = ParseEtcdEndpoints(address.substr(std::string_view(kEtcdScheme).size()));
  if (endpoints.ok()) return endpoints;
  return absl::InvalidArgumentError(
      absl::StrCat("master_server_address: ", kEtcdScheme, " with ", endpoints.status().message()));
}

std::string ClusterId() {
  const char* named = std::getenv("MC_STORE_CLUSTER_ID");
  return named != nullptr && *named != '\0' ? named : "mooncake_cluster";
}

}  // namespace

absl::Status CheckEtcdAddress(const std::string& address) { return EndpointsOf(address).status(); }

std::string FirstServer(const std::string& address) {
  std::string_view servers = address;
  if (servers.starts_with(kEtcdScheme)) servers.remove_prefix(std::string_view(kEtcdScheme).size());
  return std::string(servers.substr(0, servers.find_first_of(",;")));
}

absl::StatusOr<std::unique_ptr<MasterClient>> ConnectToMasters(const std::string& address,
                                                               const Security& security) {
  if (!address.starts_with(kEtcdScheme)) return MasterClient::Connect(address, security);
  ASSIGN_OR_RETURN(std::vector<std::string> endpoints, EndpointsOf(address));
  const auto lookup = std::make_shared<LeaderLookup>(std::move(endpoints), ClusterId());
  return MasterClient::Follow([lookup](TimePoint deadline) { return lookup->Find(deadline); },
                              security);
}

}  // namespace tandem::store

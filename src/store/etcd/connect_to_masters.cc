#include "store/etcd/connect_to_masters.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/host_port.h"
#include "base/status.h"
#include "store/etcd/leader_lookup.h"

namespace tandem::store {
namespace {

absl::StatusOr<std::vector<std::string>> EndpointsOf(const std::string& address) {
  std::vector<std::string> endpoints;
  const std::string servers = address.substr(std::string_view(kEtcdScheme).size());
  for (const absl::string_view server : absl::StrSplit(servers, absl::ByAnyChar(",;"))) {
    const std::string stripped(absl::StripAsciiWhitespace(server));
    const absl::StatusOr<HostPort> named = ParseHostPort(stripped);
    if (!named.ok() || named->port == 0 || stripped.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("master_server_address: '", address,
                       "' is not etcd://HOST:PORT, with ;HOST:PORT for each further one"));
    }
    endpoints.push_back("http://" + named->ToString());
  }
  return endpoints;
}

std::string ClusterId() {
  const char* named = std::getenv("MC_STORE_CLUSTER_ID");
  return named != nullptr && *named != '\0' ? named : "mooncake_cluster";
}

}  // namespace

absl::Status CheckEtcdAddress(const std::string& address) { return EndpointsOf(address).status(); }

absl::StatusOr<std::string> FindMaster(const std::string& address, TimePoint deadline) {
  if (!address.starts_with(kEtcdScheme)) return address.substr(0, address.find(','));
  ASSIGN_OR_RETURN(std::vector<std::string> endpoints, EndpointsOf(address));
  return LeaderLookup(std::move(endpoints), ClusterId()).Find(deadline);
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

#include "store/client/store_client.h"

#include <fmt/format.h>

#include "base/memory_budget.h"
#include "base/status.h"
#include "store/client/pool_member.h"
#include "store/etcd/connect_to_masters.h"

namespace tandem::store {
namespace {

absl::Status Check(const StoreClientOptions& options) {
  if (options.local_hostname.empty()) {
    return absl::InvalidArgumentError(
        "local_hostname is empty; it must be the address others reach this host by");
  }
  if (options.call_timeout <= Duration::zero() || options.transfer_timeout <= Duration::zero()) {
    return absl::InvalidArgumentError(
        fmt::format("transfer_timeout is {} s; it must be more than 0",
                    Seconds(std::min(options.call_timeout, options.transfer_timeout))));
  }
  return CheckMetadataServer(options.metadata_server);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoreClient>> StoreClient::Create(const StoreClientOptions& options,
                                                                 MetricRegistry& metrics,
                                                                 const Clock& clock) {
  RETURN_IF_ERROR(Check(options));
  ASSIGN_OR_RETURN(const Security security, LoadSecurity(options.security));
  absl::StatusOr<std::unique_ptr<MasterClient>> master =
      ConnectToMasters(options.master_address, security);
  RETURN_IF_ERROR(master.status());
  const std::string identity =
      options.host_identity.empty() ? HostIdentity() : options.host_identity;
  return PoolMember::Join(options, security, *std::move(master), identity, metrics, clock);
}

std::vector<int64_t> StoreClient::ReadInto(std::span<const std::string> keys,
                                           std::span<const std::span<std::byte>> buffers,
                                           TimePoint deadline) {
  std::vector<MutableParts> parts;
  for (const std::span<std::byte> buffer : buffers) parts.push_back({buffer});
  return ReadInto(keys, std::span<const MutableParts>(parts), deadline);
}

std::vector<ErrorCode> StoreClient::Put(std::span<const std::string> keys,
                                        std::span<const std::span<const std::byte>> values,
                                        const ReplicateConfig& config, TimePoint deadline) {
  std::vector<Parts> parts;
  for (const std::span<const std::byte> value : values) parts.push_back({value});
  return Put(keys, std::span<const Parts>(parts), config, deadline);
}

}  // namespace tandem::store

#pragma once

#include <ucp/api/ucp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::transfer {

struct UcxContextDeleter {
  void operator()(ucp_context_h context) const { ucp_cleanup(context); }
};
using UcxContext = std::unique_ptr<std::remove_pointer_t<ucp_context_h>, UcxContextDeleter>;

/// Opens UCX for one kind of network: rdma, or tcp, by which tests do without such devices. Shared
/// memory is never among its transports: it would ignore network namespaces. `interface` is the one
/// that tcp uses, empty for all: left to itself UCX also sends through interfaces whose addresses
/// mean something else on the other host, such as lo. InvalidArgument for rdma without the devices
/// named; the message lists what there is.
absl::StatusOr<UcxContext> OpenUcx(const std::string& protocol, const std::string& device_name,
                                   const std::string& interface);

/// Names of the RDMA devices below `folder`, sorted.
std::vector<std::string> RdmaDevices(const std::string& folder = "/sys/class/infiniband");

/// Whether `device_name` (names separated by commas, each with an optional ":port"; empty for any)
/// can be had among `devices`.
absl::Status CheckRdmaDevices(const std::string& device_name,
                              const std::vector<std::string>& devices);

}  // namespace tandem::transfer

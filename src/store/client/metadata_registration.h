#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/security.h"
#include "http/client.h"

namespace tandem::store {

/// What a member says about itself at the HTTP metadata server, for whoever looks it up there.
struct MetadataEntry {
  std::string hostname;
  std::string segment;  ///< "host:port"
  int data_port = 0;
  std::string protocol;
  uint64_t address = 0;  ///< Of the segment's memory in its owner.
  uint64_t length = 0;
};

/// Registers a member under mooncake/rpc_meta/<segment> and mooncake/ram/<segment>. Every call ends
/// within the timeout. Used by one thread at a time.
class MetadataRegistration {
 public:
  /// `server` is "http://host:port/metadata", or with https; "P2PHANDSHAKE" and "" register
  /// nowhere. InvalidArgument if https has nothing to trust, or http would be used beside TLS.
  static absl::StatusOr<std::unique_ptr<MetadataRegistration>> Create(std::string server,
                                                                      MetadataEntry entry,
                                                                      Duration timeout,
                                                                      const Security& security);

  /// Puts the entries. The error names metadata_server, its value and what is expected there.
  absl::Status Register();
  /// Removes them again.
  absl::Status Deregister();

 private:
  MetadataRegistration(std::string server, MetadataEntry entry, Duration timeout,
                       BearerToken token);
  absl::Status Send(const std::string& method, const std::string& key, const std::string& body);

  const std::string server_;
  const MetadataEntry entry_;
  const Duration timeout_;
  const BearerToken token_;
  std::unique_ptr<http::Client> client_;  // null: nowhere
};

/// Whether `server` is a form that MetadataRegistration takes.
absl::Status CheckMetadataServer(const std::string& server);

}  // namespace tandem::store

#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "http/router.h"

namespace tandem::store {

/// The metadata that Mooncake's transfer engine keeps at `metadata_server`: a map from keys to JSON
/// texts that it does not look into. Safe for use by several threads.
class MetadataStore {
 public:
  /// NotFound if there is no such key.
  absl::StatusOr<std::string> Get(const std::string& key) const;
  /// InvalidArgument if it would change an entry below mooncake/rpc_meta/: two processes would
  /// claim one address.
  absl::Status Put(const std::string& key, const std::string& value);
  /// NotFound if there is no such key.
  absl::Status Delete(const std::string& key);

 private:
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, std::string> values_ ABSL_GUARDED_BY(mutex_);
};

/// Adds GET, PUT and DELETE /metadata?key=K and GET /health. `store` must outlive the router.
void AddMetadataRoutes(http::Router& router, MetadataStore& store);

}  // namespace tandem::store

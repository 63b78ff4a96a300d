#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/config_value.h"
#include "cache/connector.h"

namespace tandem::cache {

/// The value of --kv-transfer-config.
struct KvTransferConfig {
  std::string kv_connector;  ///< "LMCacheConnectorV1"
  KvRole role = KvRole::kNone;
  std::string engine_id;
  int skip_last_n_tokens = 0;  ///< Last prompt tokens that plain lookups leave out.

  /// Options of the cache set here, which go before the YAML file's: lmcache.<option>, and
  /// discard_partial_chunks, which is save_unfull_chunk: false.
  std::vector<ConfigValue> lmcache_options;
  /// To be logged once at start.
  std::vector<std::string> notes;
  std::vector<std::string> warnings;

  /// InvalidArgument names the field, its value and what is accepted.
  static absl::StatusOr<KvTransferConfig> Parse(std::string_view json);
};

}  // namespace tandem::cache

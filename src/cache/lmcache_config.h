#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/security.h"
#include "cache/config_value.h"
#include "store/client/store_client.h"

namespace tandem::cache {

/// What an instance is told about the shared cache: LMCache's options (LMCACHE_CONFIG_FILE and
/// LMCACHE_<NAME>) with, below extra_config, Mooncake's.
struct LmcacheConfig {
  int chunk_size = 256;    ///< Tokens of a chunk.
  std::string remote_url;  ///< "mooncakestore://host:port/"; empty: there is no shared store.
  std::string remote_serde = "naive";
  bool save_unfull_chunk = true;  ///< Tails and prompts shorter than a chunk are kept as well.
  int min_retrieve_tokens = 0;    ///< Shorter hits are computed instead of loaded.
  Duration blocking_timeout = std::chrono::seconds(10);  ///< Of a load, and of waiting for saves.
  Duration lookup_timeout = std::chrono::seconds(2);     ///< Of a lookup.
  bool lmcache_compatible_keys = false;                  ///< Keys without the fingerprint tag.

  std::string local_hostname;
  std::string metadata_server = "P2PHANDSHAKE";
  std::string master_server_address;  ///< "host:port"; by default remote_url's.
  std::string protocol = "tcp";
  std::string device_name;
  uint64_t global_segment_size = 3355443200;
  uint64_t local_buffer_size = uint64_t{1} << 30;
  Duration transfer_timeout = std::chrono::seconds(1);
  bool save_chunk_meta = true;
  bool verify_local_reads = false;  ///< Check checksums of reads on this host as well.
  SecurityOptions security;

  /// To be logged once at start: options that mean nothing here and why, values read as others.
  std::vector<std::string> notes;
  /// To be logged as warnings: options nobody knows, with the nearest known one.
  std::vector<std::string> warnings;

  bool has_store() const { return !remote_url.empty(); }
  store::StoreClientOptions StoreOptions() const;
};

/// The environment as far as it matters: name → value.
using Environment = std::map<std::string, std::string>;

/// The variables of this process whose names start with `prefix`.
Environment ReadEnvironment(std::string_view prefix);

/// Reads a configuration: the YAML file LMCACHE_CONFIG_FILE of `environment` if it is set, over it
/// the variables LMCACHE_<OPTION>, over those `overrides` (see KvTransferConfig::lmcache_options).
/// InvalidArgument names file, line, option, value and what is accepted; NotFound names the file.
absl::StatusOr<LmcacheConfig> LoadLmcacheConfig(const Environment& environment,
                                                const std::vector<ConfigValue>& overrides = {});

/// The same from a YAML text; `source` names it in errors.
absl::StatusOr<LmcacheConfig> ParseLmcacheConfig(std::string_view yaml, const std::string& source);

}  // namespace tandem::cache

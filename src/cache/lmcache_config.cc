#include "cache/lmcache_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "cache/lmcache_options.h"
#include "cache/remote_url.h"
#include "store/etcd/connect_to_masters.h"

namespace tandem::cache {
namespace {

constexpr std::string_view kPrefix = "LMCACHE_";
constexpr char kConfigFile[] = "LMCACHE_CONFIG_FILE";

/// Variables of LMCache that are no options of its configuration.
bool IsForeignVariable(std::string_view name) {
  static constexpr std::string_view kForeign[] = {kConfigFile, "LMCACHE_USE_EXPERIMENTAL",
                                                  "LMCACHE_LOG_LEVEL", "LMCACHE_TRACK_USAGE",
                                                  "LMCACHE_FORCE_SKIP_SAVE"};
  return std::ranges::find(kForeign, name) != std::end(kForeign);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) {
    return absl::NotFoundError(
        fmt::format("{}: '{}' cannot be read; it takes a YAML file's path", kConfigFile, path));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

absl::Status Apply(const std::vector<ConfigValue>& options, LmcacheConfig* config) {
  for (const ConfigValue& option : options) {
    RETURN_IF_ERROR(ApplyLmcacheOption(option, config));
  }
  return absl::OkStatus();
}

absl::Status ApplyEnvironment(const Environment& environment, LmcacheConfig* config) {
  for (const auto& [variable, text] : environment) {
    if (!variable.starts_with(kPrefix) || IsForeignVariable(variable) || text.empty()) continue;
    const std::string name = absl::AsciiStrToLower(variable.substr(kPrefix.size()));
    const std::string origin = fmt::format("environment {}", variable);
    if (name == "extra_config") {
      ASSIGN_OR_RETURN(const std::vector<ConfigValue> options, ParseYamlOption(name, text, origin));
      RETURN_IF_ERROR(Apply(options, config));
    } else {
      RETURN_IF_ERROR(ApplyLmcacheOption({name, text, origin}, config));
    }
  }
  return absl::OkStatus();
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// Of several masters, with commas between them, the one that remote_url names as well, or the
/// first. Which there are, etcd knows itself.
absl::StatusOr<HostPort> NamedMaster(const std::string& address, const HostPort& of_remote_url) {
  if (address.starts_with(store::kEtcdScheme)) return of_remote_url;
  const std::vector<std::string> masters = absl::StrSplit(address, ',');
  std::optional<HostPort> named;
  for (const std::string& part : masters) {
    ASSIGN_OR_RETURN(HostPort one, ParseServerAddress(part));
    if (!named || one.ToString() == of_remote_url.ToString()) named = std::move(one);
  }
  return *std::move(named);
}

/// Checks what depends on several options, and fills in what follows from others.
absl::Status Complete(LmcacheConfig* config) {
  config->lookup_timeout = std::min(config->lookup_timeout, config->blocking_timeout);
  if (!config->has_store()) {
    config->notes.push_back("remote_url is not set: nothing is shared with other instances");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const RemoteUrl url, ParseRemoteUrl(config->remote_url));
  if (config->device_name.empty()) config->device_name = url.device;
  if (config->protocol == "tcp" && !config->device_name.empty()) {
    config->notes.push_back(fmt::format(
        "extra_config.device_name: {} has no effect: it names RDMA devices, and protocol "
        "tcp uses the network interface that has local_hostname's address",
        config->device_name));
  }
  if (config->master_server_address.empty()) {
    config->master_server_address = url.master.ToString();
  }
  ASSIGN_OR_RETURN(const HostPort master, NamedMaster(config->master_server_address, url.master));
  if (master.port != url.master.port) {
    return absl::InvalidArgumentError(fmt::format(
        "remote_url: '{}' and extra_config.master_server_address: '{}' name different ports; both "
        "take the rpc_port of the one master",
        config->remote_url, config->master_server_address));
  }
  if (master.host != url.master.host) {
    config->warnings.push_back(
        fmt::format("remote_url: {} and extra_config.master_server_address: {} name different "
                    "hosts; the latter "
                    "is used",
                    config->remote_url, config->master_server_address));
  }
  if (config->local_hostname.empty()) {
    if (config->master_server_address.starts_with(store::kEtcdScheme) || !IsLoopback(master.host)) {
      return absl::InvalidArgumentError(
          fmt::format("extra_config.local_hostname: not set, and the master is on '{}'; it takes "
                      "the address by "
                      "which other hosts reach this one",
                      master.host));
    }
    config->local_hostname = master.host;
  }
  return absl::OkStatus();
}

}  // namespace

store::StoreClientOptions LmcacheConfig::StoreOptions() const {
  store::StoreClientOptions options;
  options.local_hostname = local_hostname;
  options.metadata_server = metadata_server;
  options.master_address = master_server_address;
  options.protocol = protocol;
  options.device_name = device_name;
  options.segment_bytes = global_segment_size;
  options.local_buffer_bytes = local_buffer_size;
  options.call_timeout = std::min<Duration>(options.call_timeout, blocking_timeout);
  options.transfer_timeout = transfer_timeout;
  options.verify_local_reads = verify_local_reads;
  options.security = security;
  return options;
}

Environment ReadEnvironment(std::string_view prefix) {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (!text.starts_with(prefix) || equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

absl::StatusOr<LmcacheConfig> LoadLmcacheConfig(const Environment& environment,
                                                const std::vector<ConfigValue>& overrides) {
  LmcacheConfig config;
  const auto file = environment.find(kConfigFile);
  if (file != environment.end() && !file->second.empty()) {
    ASSIGN_OR_RETURN(const std::string yaml, ReadFile(file->second));
    ASSIGN_OR_RETURN(const std::vector<ConfigValue> options, ParseYamlOptions(yaml, file->second));
    RETURN_IF_ERROR(Apply(options, &config));
  }
  RETURN_IF_ERROR(ApplyEnvironment(environment, &config));
  RETURN_IF_ERROR(Apply(overrides, &config));
  RETURN_IF_ERROR(Complete(&config));
  return config;
}

absl::StatusOr<LmcacheConfig> ParseLmcacheConfig(std::string_view yaml, const std::string& source) {
  LmcacheConfig config;
  ASSIGN_OR_RETURN(const std::vector<ConfigValue> options, ParseYamlOptions(yaml, source));
  RETURN_IF_ERROR(Apply(options, &config));
  RETURN_IF_ERROR(Complete(&config));
  return config;
}

}  // namespace tandem::cache

#include "cache/kv_transfer_config.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <limits>

#include "base/edit_distance.h"
#include "base/status.h"

namespace tandem::cache {
namespace {

namespace json = boost::json;

constexpr char kFlag[] = "--kv-transfer-config";
constexpr char kExtra[] = "kv_connector_extra_config";
constexpr std::string_view kOptionPrefix = "lmcache.";

absl::Status Refuse(std::string_view field, const json::value& value, std::string_view accepted) {
  return absl::InvalidArgumentError(fmt::format("{}: {}: {} is not accepted; it takes {}", kFlag,
                                                field, json::serialize(value), accepted));
}

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

absl::StatusOr<std::string> Text(std::string_view field, const json::value& value) {
  if (!value.is_string()) return Refuse(field, value, "text");
  return std::string(View(value.get_string()));
}

absl::StatusOr<KvRole> Role(std::string_view field, const json::value& value) {
  for (const KvRole role : {KvRole::kProducer, KvRole::kConsumer, KvRole::kBoth}) {
    if (value.is_string() && View(value.get_string()) == KvRoleName(role)) return role;
  }
  return Refuse(field, value, "kv_producer, kv_consumer or kv_both");
}

absl::Status ParseExtra(std::string_view key, const json::value& value, KvTransferConfig* config) {
  const std::string field = fmt::format("{}.{}", kExtra, key);
  if (key == "discard_partial_chunks") {
    if (!value.is_bool()) return Refuse(field, value, "true or false");
    if (value.get_bool()) {
      config->lmcache_options.push_back(
          {"save_unfull_chunk", "false", fmt::format("{} {}", kFlag, field)});
    }
    return absl::OkStatus();
  }
  if (key == "skip_last_n_tokens") {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() > kMost) {
      return Refuse(field, value, "a whole number of at least 0");
    }
    config->skip_last_n_tokens = static_cast<int>(value.get_int64());
    return absl::OkStatus();
  }
  if (key == "lmcache_rpc_port") {
    config->notes.push_back(fmt::format(
        "{}: {} has no effect: the scheduler and the cache are one process, which needs no port",
        field, json::serialize(value)));
    return absl::OkStatus();
  }
  if (key.starts_with(kOptionPrefix)) {
    const std::string origin = fmt::format("{} {}", kFlag, field);
    // Every JSON value is a YAML value too.
    ASSIGN_OR_RETURN(const std::vector<ConfigValue> options,
                     ParseYamlOption(std::string(key.substr(kOptionPrefix.size())),
                                     json::serialize(value), origin));
    config->lmcache_options.insert(config->lmcache_options.end(), options.begin(), options.end());
    return absl::OkStatus();
  }
  config->warnings.push_back(fmt::format(
      "{}: {} is not a known option and is ignored{}", kFlag, field,
      Suggestion(key, {"discard_partial_chunks", "skip_last_n_tokens", "lmcache_rpc_port"})));
  return absl::OkStatus();
}

absl::Status ParseField(std::string_view field, const json::value& value,
                        KvTransferConfig* config) {
  static constexpr std::string_view kWithoutEffect[] = {"kv_buffer_device",
                                                        "kv_buffer_size",
                                                        "kv_rank",
                                                        "kv_parallel_size",
                                                        "kv_ip",
                                                        "kv_port",
                                                        "kv_connector_module_path",
                                                        "enable_permute_local_kv"};
  if (field == "kv_connector") {
    if (value != "LMCacheConnectorV1") return Refuse(field, value, "LMCacheConnectorV1");
    config->kv_connector = "LMCacheConnectorV1";
    return absl::OkStatus();
  }
  if (field == "kv_role") {
    ASSIGN_OR_RETURN(config->role, Role(field, value));
    return absl::OkStatus();
  }
  if (field == "engine_id") {
    ASSIGN_OR_RETURN(config->engine_id, Text(field, value));
    return absl::OkStatus();
  }
  if (field == "kv_load_failure_policy") {
    if (value != "fail" && value != "recompute") return Refuse(field, value, "recompute or fail");
    if (value == "fail") {
      config->notes.push_back(
          "kv_load_failure_policy: fail is read as recompute: what cannot be loaded is computed");
    }
    return absl::OkStatus();
  }
  if (field == kExtra) {
    if (!value.is_object()) return Refuse(field, value, "an object");
    for (const auto& entry : value.get_object()) {
      RETURN_IF_ERROR(ParseExtra({entry.key().data(), entry.key().size()}, entry.value(), config));
    }
    return absl::OkStatus();
  }
  for (std::string_view known : kWithoutEffect) {
    if (field != known) continue;
    config->notes.push_back(
        fmt::format("{}: {} has no effect: the pool's options are in the YAML file", field,
                    json::serialize(value)));
    return absl::OkStatus();
  }
  config->warnings.push_back(fmt::format(
      "{}: {} is not a known field and is ignored{}", kFlag, field,
      Suggestion(field,
                 {"kv_connector", "kv_role", "engine_id", "kv_load_failure_policy", kExtra})));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KvTransferConfig> KvTransferConfig::Parse(std::string_view text) {
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !document.is_object()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: '{}' is not accepted; it takes a JSON object, such as {}", kFlag, text,
                    R"({"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"})"));
  }
  KvTransferConfig config;
  for (const auto& entry : document.get_object()) {
    RETURN_IF_ERROR(ParseField({entry.key().data(), entry.key().size()}, entry.value(), &config));
  }
  if (config.kv_connector.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: kv_connector is missing; it takes LMCacheConnectorV1", kFlag));
  }
  if (config.role == KvRole::kNone) {
    return absl::InvalidArgumentError(
        fmt::format("{}: kv_role is missing; it takes kv_producer, kv_consumer or kv_both", kFlag));
  }
  return config;
}

}  // namespace tandem::cache

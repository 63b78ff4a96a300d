#include "cache/lmcache_options.h"

#include <fmt/format.h>

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/edit_distance.h"
#include "base/status.h"
#include "cache/remote_url.h"
#include "store/etcd/connect_to_masters.h"

namespace tandem::cache {
namespace {

constexpr double kLongestTimeoutSeconds = 86400;
constexpr int kLargestChunk = 65536;
constexpr int kLargestInt = std::numeric_limits<int>::max();

Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

absl::Status SetSeconds(const ConfigValue& value, Duration* field) {
  ASSIGN_OR_RETURN(const double seconds, AsNumber(value, 0.001, kLongestTimeoutSeconds));
  *field = FromSeconds(seconds);
  return absl::OkStatus();
}

/// One address, those of several masters with commas between them, or etcd's.
absl::Status CheckMasters(std::string_view text) {
  if (text.starts_with(store::kEtcdScheme)) return store::CheckEtcdAddress(std::string(text));
  const std::vector<std::string> masters = absl::StrSplit(std::string(text), ',');
  for (const std::string& master : masters) RETURN_IF_ERROR(ParseServerAddress(master).status());
  return absl::OkStatus();
}

absl::Status SetInt(const ConfigValue& value, int least, int most, int* field) {
  ASSIGN_OR_RETURN(const int64_t number, AsInteger(value, least, most));
  *field = static_cast<int>(number);
  return absl::OkStatus();
}

absl::Status SetBool(const ConfigValue& value, bool* field) {
  ASSIGN_OR_RETURN(*field, AsBool(value));
  return absl::OkStatus();
}

absl::Status SetBytes(const ConfigValue& value, uint64_t* field) {
  ASSIGN_OR_RETURN(*field, AsByteSize(value));
  return absl::OkStatus();
}

absl::Status SetText(const ConfigValue& value, std::string* field) {
  ASSIGN_OR_RETURN(*field, AsText(value));
  return absl::OkStatus();
}

/// Sets a text that `check` accepts; its error's message says what is accepted.
template <typename Check>
absl::Status SetChecked(const ConfigValue& value, std::string* field, Check check) {
  ASSIGN_OR_RETURN(const std::string text, AsText(value));
  const absl::Status status = check(text);
  if (!status.ok()) return value.Refuse(std::string(status.message()));
  *field = text;
  return absl::OkStatus();
}

absl::Status SetChoice(const ConfigValue& value, std::string* field,
                       std::span<const std::string_view> choices) {
  ASSIGN_OR_RETURN(const std::string text, AsText(value));
  std::string accepted;
  for (std::string_view choice : choices) {
    if (text == choice) {
      *field = text;
      return absl::OkStatus();
    }
    accepted += fmt::format("{}{}", accepted.empty() ? "" : " or ", choice);
  }
  return value.Refuse(accepted);
}

absl::Status SetHashAlgorithm(const ConfigValue& value, LmcacheConfig* config) {
  static constexpr std::string_view kChoices[] = {"sha256_cbor", "builtin"};
  std::string algorithm;
  RETURN_IF_ERROR(SetChoice(value, &algorithm, kChoices));
  if (algorithm == "builtin") {
    config->notes.push_back(
        "pre_caching_hash_algorithm: builtin is read as sha256_cbor: Python's hash differs between "
        "processes");
  }
  return absl::OkStatus();
}

struct Option {
  std::string_view name;
  absl::Status (*apply)(const ConfigValue& value, LmcacheConfig* config);
};

constexpr std::string_view kSerdes[] = {"naive"};
constexpr std::string_view kProtocols[] = {"tcp", "rdma"};

using Value = const ConfigValue&;
using Config = LmcacheConfig*;

constexpr Option kOptions[] = {
    {"chunk_size", [](Value v, Config c) { return SetInt(v, 1, kLargestChunk, &c->chunk_size); }},
    {"remote_url",
     [](Value v, Config c) {
       return SetChecked(v, &c->remote_url,
                         [](std::string_view text) { return ParseRemoteUrl(text).status(); });
     }},
    {"remote_serde", [](Value v, Config c) { return SetChoice(v, &c->remote_serde, kSerdes); }},
    {"save_unfull_chunk", [](Value v, Config c) { return SetBool(v, &c->save_unfull_chunk); }},
    {"min_retrieve_tokens",
     [](Value v, Config c) { return SetInt(v, 0, kLargestInt, &c->min_retrieve_tokens); }},
    {"blocking_timeout_secs",
     [](Value v, Config c) { return SetSeconds(v, &c->blocking_timeout); }},
    {"lookup_timeout_ms",
     [](Value v, Config c) {
       int milliseconds = 0;
       RETURN_IF_ERROR(SetInt(v, 1, kLargestInt, &milliseconds));
       c->lookup_timeout = std::chrono::milliseconds(milliseconds);
       return absl::OkStatus();
     }},
    {"pre_caching_hash_algorithm", SetHashAlgorithm},
    {"lmcache_compatible_keys",
     [](Value v, Config c) { return SetBool(v, &c->lmcache_compatible_keys); }},
    {"extra_config.lmcache_compatible_keys",
     [](Value v, Config c) { return SetBool(v, &c->lmcache_compatible_keys); }},
    {"extra_config.local_hostname",
     [](Value v, Config c) {
       return SetChecked(v, &c->local_hostname, [](std::string_view text) {
         return ParseServerAddress(fmt::format("{}:1", text)).ok() || ParseServerAddress(text).ok()
                    ? absl::OkStatus()
                    : absl::InvalidArgumentError(
                          "a host name or an address of this host, or one with a port");
       });
     }},
    {"extra_config.metadata_server",
     [](Value v, Config c) { return SetChecked(v, &c->metadata_server, CheckMetadataServer); }},
    {"extra_config.master_server_address",
     [](Value v, Config c) { return SetChecked(v, &c->master_server_address, CheckMasters); }},
    {"extra_config.protocol",
     [](Value v, Config c) { return SetChoice(v, &c->protocol, kProtocols); }},
    {"extra_config.device_name", [](Value v, Config c) { return SetText(v, &c->device_name); }},
    {"extra_config.global_segment_size",
     [](Value v, Config c) { return SetBytes(v, &c->global_segment_size); }},
    {"extra_config.local_buffer_size",
     [](Value v, Config c) { return SetBytes(v, &c->local_buffer_size); }},
    {"extra_config.transfer_timeout",
     [](Value v, Config c) { return SetSeconds(v, &c->transfer_timeout); }},
    {"extra_config.save_chunk_meta",
     [](Value v, Config c) { return SetBool(v, &c->save_chunk_meta); }},
    {"extra_config.verify_local_reads",
     [](Value v, Config c) { return SetBool(v, &c->verify_local_reads); }},
    {"extra_config.tls_ca_file",
     [](Value v, Config c) { return SetText(v, &c->security.tls_ca_file); }},
    {"extra_config.tls_cert_file",
     [](Value v, Config c) { return SetText(v, &c->security.tls_cert_file); }},
    {"extra_config.tls_key_file",
     [](Value v, Config c) { return SetText(v, &c->security.tls_key_file); }},
    {"extra_config.tls_verify_clients",
     [](Value v, Config c) { return SetBool(v, &c->security.tls_verify_clients); }},
    {"extra_config.token_file",
     [](Value v, Config c) { return SetText(v, &c->security.token_file); }},
};

/// An option that is accepted and changes nothing.
struct Ineffective {
  enum Type { kBool, kInteger, kNumber, kText, kAnything };
  std::string_view name;
  Type type;
  std::string_view reason;
};

constexpr std::string_view kNoHostTier =
    "there is no tier in host memory; extra_config.global_segment_size sets the share of the pool";
constexpr std::string_view kNoDiskTier = "there is no tier on disk";
constexpr std::string_view kAlwaysBeside = "loads always run beside the batch";
constexpr std::string_view kNoBlending = "only whole prefixes are reused";
constexpr std::string_view kNoController =
    "there is no LMCache controller; the master has its place";
constexpr std::string_view kPoolInstead = "instances hand KV over through the pool";

constexpr Ineffective kIneffective[] = {
    {"local_cpu", Ineffective::kBool, kNoHostTier},
    {"max_local_cpu_size", Ineffective::kNumber, kNoHostTier},
    {"reserve_local_cpu_size", Ineffective::kNumber, kNoHostTier},
    {"local_disk", Ineffective::kText, kNoDiskTier},
    {"max_local_disk_size", Ineffective::kNumber, kNoDiskTier},
    {"cache_policy", Ineffective::kText, "the master evicts, near to least recently used"},
    {"save_decode_cache", Ineffective::kBool, "only prompts are saved"},
    {"enable_async_loading", Ineffective::kBool, kAlwaysBeside},
    {"use_layerwise", Ineffective::kBool, "chunks are moved whole, while the next ones compute"},
    {"lmcache_instance_id", Ineffective::kText, "an instance is known by its address"},
    {"enable_blending", Ineffective::kBool, kNoBlending},
    {"blend_recompute_ratios", Ineffective::kAnything, kNoBlending},
    {"blend_thresholds", Ineffective::kAnything, kNoBlending},
    {"blend_check_layers", Ineffective::kAnything, kNoBlending},
    {"blend_min_tokens", Ineffective::kInteger, kNoBlending},
    {"blend_special_str", Ineffective::kText, kNoBlending},
    {"enable_controller", Ineffective::kBool, kNoController},
    {"controller_url", Ineffective::kText, kNoController},
    {"controller_pull_url", Ineffective::kText, kNoController},
    {"controller_reply_url", Ineffective::kText, kNoController},
    {"lmcache_worker_port", Ineffective::kAnything, kNoController},
    {"lmcache_worker_ports", Ineffective::kAnything, kNoController},
    {"enable_p2p", Ineffective::kBool, kPoolInstead},
    {"enable_pd", Ineffective::kBool, kPoolInstead},
    {"enable_nixl", Ineffective::kBool, kPoolInstead},
    {"transfer_channel", Ineffective::kText, kPoolInstead},
    {"internal_api_server_enabled", Ineffective::kBool, "the instance's own port has /metrics"},
    {"internal_api_server_port_start", Ineffective::kInteger,
     "the instance's own port has /metrics"},
    {"numa_mode", Ineffective::kText, "memory is placed where it is first touched"},
    {"py_enable_gc", Ineffective::kBool, "there is no Python here"},
    {"extra_config.use_exists_sync", Ineffective::kBool, "a lookup is one call for all chunks"},
    {"extra_config.prefer_local_alloc", Ineffective::kBool,
     "objects are always put into the writer's own segment first"},
    {"extra_config.mooncake_prefer_local_alloc", Ineffective::kBool,
     "objects are always put into the writer's own segment first"},
    {"extra_config.storage_root_dir", Ineffective::kText, kNoDiskTier},
};

/// Checks the type; whether the value asks for anything at all.
absl::StatusOr<bool> AsksForSomething(const ConfigValue& value, Ineffective::Type type) {
  constexpr double kMost = std::numeric_limits<double>::max();
  constexpr int64_t kMostInteger = std::numeric_limits<int64_t>::max();
  switch (type) {
    case Ineffective::kBool:
      return AsBool(value);
    case Ineffective::kInteger:
      RETURN_IF_ERROR(AsInteger(value, 0, kMostInteger).status());
      return true;
    case Ineffective::kNumber:
      RETURN_IF_ERROR(AsNumber(value, 0, kMost).status());
      return true;
    case Ineffective::kText:
      RETURN_IF_ERROR(AsText(value).status());
      return !value.text.empty();
    case Ineffective::kAnything:
      return true;
  }
  return true;
}

std::vector<std::string_view> AllNames() {
  std::vector<std::string_view> names;
  for (const Option& option : kOptions) names.push_back(option.name);
  for (const Ineffective& option : kIneffective) names.push_back(option.name);
  return names;
}

}  // namespace

absl::Status ApplyLmcacheOption(const ConfigValue& value, LmcacheConfig* config) {
  for (const Option& option : kOptions) {
    if (option.name == value.name) return option.apply(value, config);
  }
  for (const Ineffective& option : kIneffective) {
    if (option.name != value.name) continue;
    ASSIGN_OR_RETURN(const bool asks, AsksForSomething(value, option.type));
    if (asks) {
      config->notes.push_back(
          fmt::format("{}: {} has no effect: {}", value.name, value.text, option.reason));
    }
    return absl::OkStatus();
  }
  config->warnings.push_back(fmt::format("{}: {} is not a known option and is ignored{}",
                                         value.origin, value.name,
                                         Suggestion(value.name, AllNames())));
  return absl::OkStatus();
}

}  // namespace tandem::cache

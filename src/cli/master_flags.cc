#include "cli/master_flags.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/status.h"
#include "cli/gflags_parser.h"

namespace tandem::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A flag of mooncake_master that this master takes and does not act on, and why.
struct InertFlag {
  const char* name;
  const char* reason;
};

constexpr InertFlag kInertFlags[] = {
    {"enable_ha", "one master runs alone; its clients register again after a restart"},
    {"etcd_endpoints", "one master runs alone"},
    {"cluster_id", "one master runs alone"},
    {"enable_snapshot", "owners of segments keep the directory and register from it"},
    {"snapshot_interval_seconds", "there are no snapshots"},
    {"snapshot_backup_dir", "there are no snapshots"},
    {"enable_offload", "objects stay in memory"},
    {"root_fs_dir", "objects stay in memory"},
    {"memory_allocator", "space is always allocated by offset"},
};

/// Flags in the units of the command line, next to what they end up in.
struct RawFlags {
  int64_t lease_ttl_ms = 10'000;
  int64_t soft_pin_ttl_ms = 1'800'000;
  int64_t client_ttl_s = 10;
  int64_t discard_s = 30;
  int64_t release_s = 600;
  std::string strategy = "random";
  std::string config_path;
  // What has no effect here.
  bool enable_ha = false, enable_snapshot = false, enable_offload = false;
  int64_t snapshot_interval_s = 600;
  std::string memory_allocator = "offset";
  std::string etcd_endpoints, cluster_id = "mooncake_cluster", snapshot_backup_dir, root_fs_dir;
};

constexpr int64_t kMostSeconds = 1'000'000'000;

void AddFlags(GflagsParser& parser, MasterFlags& flags, RawFlags& raw) {
  store::MasterOptions& master = flags.master;
  parser.AddString("rpc_address", &flags.rpc_address, "address to listen on for calls");
  parser.AddPort("rpc_port", &flags.rpc_port, "port for calls, 0 lets the system choose");
  parser.AddInt("rpc_thread_num", 1, 1024, &flags.rpc_thread_num, "threads that answer calls");
  parser.AddPort("metrics_port", &flags.metrics_port, "port for metrics and administration");
  parser.AddBool("enable_metric_reporting", &flags.enable_metric_reporting,
                 "log a summary when the pool's use has changed");
  parser.AddBool("enable_http_metadata_server", &flags.enable_http_metadata_server,
                 "serve /metadata over HTTP");
  parser.AddString("http_metadata_server_host", &flags.http_metadata_server_host,
                   "address to listen on for metadata");
  parser.AddPort("http_metadata_server_port", &flags.http_metadata_server_port,
                 "port for metadata");
  parser.AddInt("default_kv_lease_ttl", 0, kMostSeconds, &raw.lease_ttl_ms,
                "milliseconds that an object which was looked up is safe from eviction");
  parser.AddInt("default_kv_soft_pin_ttl", 0, kMostSeconds, &raw.soft_pin_ttl_ms,
                "milliseconds that a soft pin lasts after the last use");
  parser.AddBool("allow_evict_soft_pinned_objects", &master.allow_evict_soft_pinned_objects,
                 "evict soft-pinned objects when no others are left");
  parser.AddDouble("eviction_ratio", 0, 1, &master.eviction_ratio,
                   "share of the pool that an eviction frees at least");
  parser.AddDouble("eviction_high_watermark_ratio", 0, 1, &master.eviction_high_watermark_ratio,
                   "share of the pool in use that starts an eviction");
  parser.AddInt("client_ttl", 1, kMostSeconds, &raw.client_ttl_s,
                "seconds of silence after which a client's segments are dropped");
  parser.AddInt("put_start_discard_timeout_sec", 0, kMostSeconds, &raw.discard_s,
                "seconds after which another writer may take an unfinished put over");
  parser.AddInt("put_start_release_timeout_sec", 0, kMostSeconds, &raw.release_s,
                "seconds after which the space of an unfinished put is freed");
  parser.AddChoice("allocation_strategy", {"random", "free_ratio_first", "local_first"},
                   &raw.strategy, "where objects go that their writer cannot keep itself");
  parser.AddString("config_path", &raw.config_path,
                   "a YAML or JSON file of these flags; the command line comes first");
  parser.AddInt("v", 0, 10, &flags.verbosity, "verbosity of the log");
  parser.AddString("ready_file", &flags.ready_file,
                   "a file that is written, with the ports, once the master serves");

  parser.AddBool("enable_ha", &raw.enable_ha, "no effect");
  parser.AddString("etcd_endpoints", &raw.etcd_endpoints, "no effect");
  parser.AddString("cluster_id", &raw.cluster_id, "no effect");
  parser.AddBool("enable_snapshot", &raw.enable_snapshot, "no effect");
  parser.AddInt("snapshot_interval_seconds", 0, kMostSeconds, &raw.snapshot_interval_s,
                "no effect");
  parser.AddString("snapshot_backup_dir", &raw.snapshot_backup_dir, "no effect");
  parser.AddBool("enable_offload", &raw.enable_offload, "no effect");
  parser.AddString("root_fs_dir", &raw.root_fs_dir, "no effect");
  parser.AddChoice("memory_allocator", {"offset", "cachelib"}, &raw.memory_allocator, "no effect");
}

/// Sets the flags that the file names and the command line does not.
absl::Status ReadConfig(const std::string& path, GflagsParser& parser) try {
  const YAML::Node document = YAML::LoadFile(path);
  if (!document.IsMap()) {
    return absl::InvalidArgumentError(
        fmt::format("--config_path={}: not a map from names of flags to values", path));
  }
  for (const auto& entry : document) {
    const std::string name = entry.first.as<std::string>();
    if (parser.IsSet(name)) continue;
    if (!entry.second.IsScalar()) {
      return absl::InvalidArgumentError(
          fmt::format("--config_path={}: the value of '{}' is not a single one", path, name));
    }
    if (absl::Status status = parser.Set(name, entry.second.Scalar()); !status.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("--config_path={}: {}", path, std::string(status.message())));
    }
  }
  return absl::OkStatus();
} catch (const YAML::Exception& error) {
  return absl::InvalidArgumentError(fmt::format("--config_path={}: {}", path, error.what()));
}

store::AllocationStrategy StrategyOf(const std::string& name) {
  if (name == "free_ratio_first") return store::AllocationStrategy::kFreeRatioFirst;
  if (name == "local_first") return store::AllocationStrategy::kLocalFirst;
  return store::AllocationStrategy::kRandom;
}

}  // namespace

absl::StatusOr<MasterFlags> MasterFlags::Parse(const Arguments& arguments) {
  MasterFlags flags;
  RawFlags raw;
  GflagsParser parser;
  AddFlags(parser, flags, raw);
  RETURN_IF_ERROR(parser.Parse(arguments));
  if (parser.help_asked()) {
    flags.help = "usage: tandem master [FLAGS]\n" + parser.Help();
    return flags;
  }
  if (!raw.config_path.empty()) RETURN_IF_ERROR(ReadConfig(raw.config_path, parser));

  store::MasterOptions& master = flags.master;
  master.lease_ttl = milliseconds(raw.lease_ttl_ms);
  master.soft_pin_ttl = milliseconds(raw.soft_pin_ttl_ms);
  master.client_ttl = seconds(raw.client_ttl_s);
  master.put_start_discard_timeout = seconds(raw.discard_s);
  master.put_start_release_timeout = seconds(raw.release_s);
  master.allocation_strategy = StrategyOf(raw.strategy);
  for (const InertFlag& inert : kInertFlags) {
    if (!parser.IsChanged(inert.name)) continue;
    flags.without_effect.push_back(fmt::format("--{} has no effect: {}", inert.name, inert.reason));
  }
  return flags;
}

}  // namespace tandem::cli

#include "cli/master_flags.h"

#include <fmt/format.h>

#include "base/status.h"
#include "cli/config_file.h"
#include "cli/gflags_parser.h"
#include "store/etcd/etcd_client.h"

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
    {"memory_allocator", "space is always allocated by offset"},
};

/// Flags in the units of the command line, next to what they end up in.
struct RawFlags {
  int64_t rpc_thread_num = 0;
  int64_t lease_ttl_ms = 10'000;
  int64_t soft_pin_ttl_ms = 1'800'000;
  int64_t client_ttl_s = 10;
  int64_t discard_s = 30;
  int64_t release_s = 600;
  std::string strategy = "random";
  std::string config_path, etcd_endpoints;
  bool enable_snapshot = false;
  bool enable_offload = false;
  int64_t offload_capacity_bytes = 0;
  std::string snapshot_backup_dir, root_fs_dir;
  std::string memory_allocator = "offset";  // has no effect here
};

constexpr int64_t kMostSeconds = 1'000'000'000;
constexpr int64_t kMostMilliseconds = 1000 * kMostSeconds;
constexpr int64_t kMostDiskBytes = int64_t{1} << 50;

void AddFlags(GflagsParser& parser, MasterFlags& flags, RawFlags& raw) {
  store::MasterOptions& master = flags.master;
  parser.AddString("rpc_address", &flags.rpc_address, "address to listen on for calls");
  parser.AddPort("rpc_port", &flags.rpc_port, "port for calls, 0 lets the system choose");
  parser.AddInt("rpc_thread_num", 0, 1024, &raw.rpc_thread_num,
                fmt::format("threads that wait for calls over gRPC, 0 for the default number, {}; "
                            "each connection of other puts and gets has its own",
                            flags.rpc_thread_num));
  parser.AddPort("metrics_port", &flags.metrics_port, "port for metrics and administration");
  parser.AddBool("enable_metric_reporting", &flags.enable_metric_reporting,
                 "log a summary when the pool's use has changed");
  parser.AddBool("enable_http_metadata_server", &flags.enable_http_metadata_server,
                 "serve /metadata over HTTP");
  parser.AddString("http_metadata_server_host", &flags.http_metadata_server_host,
                   "address to listen on for metadata");
  parser.AddPort("http_metadata_server_port", &flags.http_metadata_server_port,
                 "port for metadata");
  parser.AddMilliseconds("default_kv_lease_ttl", kMostMilliseconds, &raw.lease_ttl_ms,
                         "how long an object that was looked up is safe from eviction");
  parser.AddMilliseconds("default_kv_soft_pin_ttl", kMostMilliseconds, &raw.soft_pin_ttl_ms,
                         "how long a soft pin lasts after the last use");
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
  parser.AddBool("enable_snapshot", &raw.enable_snapshot,
                 "serve again after a restart before the owners of objects have registered them");
  parser.AddInt("snapshot_interval_seconds", 1, kMostSeconds, &flags.snapshot_interval_seconds,
                "with enable_snapshot: time between two snapshots");
  parser.AddString("snapshot_backup_dir", &raw.snapshot_backup_dir,
                   "with enable_snapshot: directory for the snapshot and what was removed since");
  parser.AddBool("enable_ha", &flags.enable_ha,
                 "be one of several masters, of which the one that holds a lease of etcd leads");
  parser.AddString("etcd_endpoints", &raw.etcd_endpoints,
                   "with enable_ha: http://HOST:2379 of etcd, several separated by commas");
  parser.AddString("cluster_id", &flags.cluster_id,
                   "with enable_ha: masters of one cluster choose their leader among themselves; "
                   "names files of snapshots and directories of enable_offload");
  parser.AddInt("etcd_lease_seconds", 1, 3600, &flags.etcd_lease_seconds,
                "with enable_ha: how long a leader that has died stays in office");
  SecurityOptions& security = flags.security;
  parser.AddString("tls_cert_file", &security.tls_cert_file,
                   "certificate in PEM: all ports are served over TLS");
  parser.AddString("tls_key_file", &security.tls_key_file, "its private key in PEM");
  parser.AddString("tls_ca_file", &security.tls_ca_file,
                   "with tls_verify_clients: the CA of the clients' certificates in PEM");
  parser.AddBool("tls_verify_clients", &security.tls_verify_clients,
                 "serve only clients with a certificate of that CA");
  parser.AddString("token_file", &security.token_file,
                   "a file with the token that clients have to send; or the environment's "
                   "TANDEM_STORE_TOKEN");
  parser.AddString("ready_file", &flags.ready_file,
                   "a file that is written, with the ports, once the master serves");

  parser.AddBool("enable_offload", &raw.enable_offload,
                 "have owners of memory keep cold objects on their local disk");
  parser.AddString("root_fs_dir", &raw.root_fs_dir,
                   "with enable_offload: the directory, on every owner's host, below which each "
                   "has one of its own");
  parser.AddInt("offload_capacity_bytes", 0, kMostDiskBytes, &raw.offload_capacity_bytes,
                "with enable_offload: the most disk that each owner takes; 0 is half of what is "
                "free");
  parser.AddChoice("memory_allocator", {"offset", "cachelib"}, &raw.memory_allocator, "no effect");
}

/// What --enable_offload and the flags that go with it say.
absl::Status TakeOffload(const RawFlags& raw, store::MasterOptions& master) {
  if (!raw.enable_offload || raw.root_fs_dir.empty()) return absl::OkStatus();
  if (!raw.root_fs_dir.starts_with('/')) {
    return absl::InvalidArgumentError(
        fmt::format("--root_fs_dir={}: not an absolute path; owners of memory, wherever they were "
                    "started, use it",
                    raw.root_fs_dir));
  }
  master.offload_directory = raw.root_fs_dir;
  master.offload_capacity_bytes = static_cast<uint64_t>(raw.offload_capacity_bytes);
  return absl::OkStatus();
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
  if (!raw.config_path.empty()) RETURN_IF_ERROR(ReadConfigFile(raw.config_path, parser));

  const auto ignore = [&](const char* name, const char* reason) {
    if (!parser.IsChanged(name)) return;
    flags.without_effect.push_back(fmt::format("--{} has no effect: {}", name, reason));
  };
  if (raw.enable_snapshot && !flags.enable_ha && raw.snapshot_backup_dir.empty()) {
    return absl::InvalidArgumentError(
        "--snapshot_backup_dir=: not a directory; --enable_snapshot needs one");
  }
  for (const char* name : {"enable_snapshot", "snapshot_backup_dir", "snapshot_interval_seconds"}) {
    if (flags.enable_ha) ignore(name, "with --enable_ha a leader asks the owners of objects");
    if (!flags.enable_ha && !raw.enable_snapshot) ignore(name, "--enable_snapshot is not set");
  }
  if (raw.enable_snapshot && !flags.enable_ha) flags.snapshot_backup_dir = raw.snapshot_backup_dir;
  if (flags.enable_ha) {
    auto endpoints = store::ParseEtcdEndpoints(raw.etcd_endpoints);
    if (!endpoints.ok()) {
      return absl::InvalidArgumentError(fmt::format("--etcd_endpoints={}: {}; --enable_ha needs it",
                                                    raw.etcd_endpoints,
                                                    std::string(endpoints.status().message())));
    }
    flags.etcd_endpoints = *std::move(endpoints);
  } else {
    for (const char* name : {"etcd_endpoints", "etcd_lease_seconds"}) {
      ignore(name, "without --enable_ha one master runs alone");
    }
    if (!raw.enable_snapshot && !raw.enable_offload) {
      ignore("cluster_id", "without --enable_ha one master runs alone");
    }
  }
  if (raw.enable_offload && raw.root_fs_dir.empty()) {
    ignore("enable_offload", "--root_fs_dir names no directory: objects stay in memory");
  }
  for (const char* name : {"root_fs_dir", "offload_capacity_bytes"}) {
    if (!raw.enable_offload) ignore(name, "--enable_offload is not set");
  }
  if (flags.cluster_id.empty() || flags.cluster_id.starts_with('.') ||
      flags.cluster_id.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("--cluster_id={}: not a name without '/' that begins with no '.'; files and "
                    "directories are named after it",
                    flags.cluster_id));
  }
  store::MasterOptions& master = flags.master;
  RETURN_IF_ERROR(TakeOffload(raw, master));
  if (raw.rpc_thread_num > 0) flags.rpc_thread_num = raw.rpc_thread_num;
  master.cluster_id = flags.cluster_id;
  master.lease_ttl = milliseconds(raw.lease_ttl_ms);
  master.soft_pin_ttl = milliseconds(raw.soft_pin_ttl_ms);
  master.client_ttl = seconds(raw.client_ttl_s);
  master.put_start_discard_timeout = seconds(raw.discard_s);
  master.put_start_release_timeout = seconds(raw.release_s);
  master.allocation_strategy = StrategyOf(raw.strategy);
  for (const InertFlag& inert : kInertFlags) {
    ignore(inert.name, inert.reason);
  }
  return flags;
}

}  // namespace tandem::cli

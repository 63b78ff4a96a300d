#include "supervisor/deployment.h"

#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "supervisor/ports.h"

namespace tandem::supervisor {
namespace {

/// Has the master's log name the requests that its lookups and puts are for, as the others' do.
constexpr char kFollowRequests[] = "-v=1";
/// Engines and clients on this machine reach each other by loopback wherever they listen.
constexpr char kLoopback[] = "127.0.0.1";

/// For an engine whose grace time is over: to end its requests, to leave the store and to free its
/// memory.
constexpr Duration kEndOfEngine = std::chrono::seconds(3);

std::string Flag(const std::string& name, int value) { return absl::StrCat(name, "=", value); }

/// Instances are stopped when the proxy has drained, which needs them; from then on what is left of
/// the grace time is for requests that were sent to them directly.
std::string GraceFlag(const DeploymentOptions& options) {
  return Flag("--shutdown-grace",
              static_cast<int>(std::chrono::ceil<std::chrono::seconds>(options.grace).count()));
}

ChildPlan MasterPlan(const DeploymentOptions& options, DeploymentPorts& ports) {
  const std::string ready = options.directory + "/master.ready";
  return {
      .name = "master",
      .command =
          [options, &ports, ready] {
            return ChildCommand{
                options.program,
                {"master", kFollowRequests, Flag("--rpc_port", ports.rpc),
                 "--rpc_address=" + options.host, Flag("--metrics_port", ports.metrics),
                 "--enable_http_metadata_server=true",
                 "--http_metadata_server_host=" + options.host,
                 Flag("--http_metadata_server_port", ports.metadata), "--ready_file=" + ready},
                {}};
          },
      .ready_file = ready,
      .after = {},
      .on_ready =
          [&ports](const PortMap& told) {
            ports.rpc = told.at("rpc");
            ports.metrics = told.at("metrics");
            ports.metadata = told.at("metadata");
          },
      .address = [options, &ports] { return absl::StrCat(options.host, ":", ports.rpc); },
      .stop_stage = 2,
  };
}

/// The same keys as the guide's configuration files, with this deployment's ports.
absl::Status WriteCacheConfig(const DeploymentOptions& options, const DeploymentPorts& ports,
                              const std::string& path) {
  std::ofstream file(path);
  file << "chunk_size: 256\n"
       << "remote_url: \"mooncakestore://" << kLoopback << ":" << ports.rpc << "/\"\n"
       << "remote_serde: \"naive\"\n"
       << "local_cpu: False\n"
       << "extra_config:\n"
       << "  local_hostname: \"" << kLoopback << "\"\n"
       << "  metadata_server: \"http://" << kLoopback << ":" << ports.metadata << "/metadata\"\n"
       << "  protocol: \"tcp\"\n"
       << "  master_server_address: \"" << kLoopback << ":" << ports.rpc << "\"\n"
       << "  global_segment_size: \"" << options.segment_size << "\"\n"
       << "  save_chunk_meta: False\n";
  if (!file.flush()) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

ChildPlan EnginePlan(const DeploymentOptions& options, const std::string& name,
                     const std::string& role, int DeploymentPorts::*port, DeploymentPorts& ports,
                     int threads) {
  const std::string ready = absl::StrCat(options.directory, "/", name, ".ready");
  const std::string config = absl::StrCat(options.directory, "/", name, ".yaml");
  auto command = [=, &ports] {
    // A failure shows at once as the child's own complaint about its configuration.
    WriteCacheConfig(options, ports, config).IgnoreError();
    std::vector<std::string> arguments{
        "serve",
        options.model,
        "--host",
        options.host,
        Flag("--port", ports.*port),
        "--no-enable-prefix-caching",
        Flag("--threads", threads),
        GraceFlag(options),
        absl::StrCat("--kv-transfer-config={\"kv_connector\":\"LMCacheConnectorV1\",\"kv_role\":\"",
                     role, "\"}"),
        "--ready-file",
        ready};
    for (const std::string& served : options.served_model_names) {
      arguments.push_back("--served-model-name=" + served);
    }
    arguments.insert(arguments.end(), options.engine_arguments.begin(),
                     options.engine_arguments.end());
    return ChildCommand{
        options.program, arguments, {{"LMCACHE_CONFIG_FILE", config}, {"PYTHONHASHSEED", "123"}}};
  };
  return {
      .name = name,
      .command = command,
      .ready_file = ready,
      .after = {"master"},
      .on_ready = [&ports, port](const PortMap& told) { ports.*port = told.at("http"); },
      .address = [options, &ports, port] { return absl::StrCat(options.host, ":", ports.*port); },
      .stop_stage = 1,
      .drains = true,
      .stop_timeout = kEndOfEngine,
  };
}

ChildPlan ProxyPlan(const DeploymentOptions& options, DeploymentPorts& ports) {
  const std::string ready = options.directory + "/proxy.ready";
  return {
      .name = "proxy",
      .command =
          [options, &ports, ready] {
            return ChildCommand{
                options.program,
                {"proxy", "--host", options.host, Flag("--port", ports.proxy), "--prefiller-host",
                 kLoopback, Flag("--prefiller-port", ports.prefiller), "--decoder-host", kLoopback,
                 Flag("--decoder-port", ports.decoder), GraceFlag(options), "--ready-file", ready},
                {}};
          },
      .ready_file = ready,
      .after = {"prefiller", "decoder"},
      .on_ready = [&ports](const PortMap& told) { ports.proxy = told.at("http"); },
      .address = [options, &ports] { return absl::StrCat(options.host, ":", ports.proxy); },
      .stop_stage = 0,
      .drains = true,
  };
}

}  // namespace

int ThreadsForEach(int cores) { return cores <= 2 ? std::max(cores, 1) : cores / 2; }

absl::Status CheckPorts(const DeploymentOptions& options) {
  const DeploymentPorts& ports = options.ports;
  const struct {
    int port;
    const char* purpose;
    const char* flag;
  } uses[] = {
      {ports.rpc, "master RPC", "--rpc-port"},
      {ports.metadata, "HTTP metadata", "--metadata-port"},
      {ports.metrics, "master metrics", "--metrics-port"},
      {ports.prefiller, "prefiller", "--prefiller-port"},
      {ports.decoder, "decoder", "--decoder-port"},
      {ports.proxy, "proxy", "--port"},
  };
  std::map<int, const char*> taken;
  for (const auto& use : uses) {
    if (use.port < 0 || use.port > 65535) {
      return absl::InvalidArgumentError(
          absl::StrCat(use.flag, " ", use.port, ": not a port number from 0 to 65535"));
    }
    if (use.port != 0 && !taken.emplace(use.port, use.flag).second) {
      return absl::InvalidArgumentError(absl::StrCat("port ", use.port, " is given to both ",
                                                     taken[use.port], " and ", use.flag));
    }
    RETURN_IF_ERROR(CheckPortIsFree(options.host, use.port, use.purpose, use.flag));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ChildPlan>> PlanDeployment(const DeploymentOptions& options,
                                                      DeploymentPorts& ports) {
  RETURN_IF_ERROR(CheckPorts(options));
  ports = options.ports;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = options.threads > 0 ? options.threads : ThreadsForEach(cores);
  std::vector<ChildPlan> plans;
  plans.push_back(MasterPlan(options, ports));
  plans.push_back(
      EnginePlan(options, "prefiller", "kv_producer", &DeploymentPorts::prefiller, ports, threads));
  plans.push_back(
      EnginePlan(options, "decoder", "kv_consumer", &DeploymentPorts::decoder, ports, threads));
  plans.push_back(ProxyPlan(options, ports));
  return plans;
}

}  // namespace tandem::supervisor

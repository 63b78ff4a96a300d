#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>

#include "base/log.h"
#include "base/status.h"
#include "cli/accepted_value.h"
#include "cli/commands.h"
#include "cli/metrics_endpoint.h"
#include "cli/ready_file.h"
#include "cli/store_operations.h"
#include "cli/store_top.h"
#include "cli/termination.h"

namespace tandem::cli {
namespace {

struct StoreFlags {
  StoreOptions common;
  uint64_t segment_size = uint64_t{4} << 30;
  store::ReplicateConfig replicate;
  std::string key, file = "-", prefix, ready_file;
  std::vector<std::string> keys;
  std::optional<int> metrics_port;
  bool force = false;
  TopOptions top;
};

absl::Status ServeSegment(const StoreFlags& flags) {
  Termination termination;
  MetricRegistry metrics;
  StoreOptions options = flags.common;
  options.segment_bytes = flags.segment_size;
  const auto client = JoinPool(options, metrics);
  if (!client.ok()) return client.status();
  const std::string& segment = (*client)->segment_name();
  spdlog::info("lending {} bytes as segment {} to the pool of {}", (*client)->segment_bytes(),
               segment, options.master);
  std::map<std::string, int> ports = {{"data", std::stoi(segment.substr(segment.rfind(':') + 1))}};
  std::unique_ptr<http::Server> endpoint;
  if (flags.metrics_port.has_value()) {
    ASSIGN_OR_RETURN(endpoint, ServeMetrics(*flags.metrics_port, options.security, metrics));
    ports["metrics"] = endpoint->port();
  }
  RETURN_IF_ERROR(WriteReadyFile(flags.ready_file, ports));
  termination.Wait();
  return absl::OkStatus();
}

void AddSecurityFlags(CLI::App& app, SecurityOptions& security) {
  app.add_option("--tls-ca-file", security.tls_ca_file,
                 "PEM: the CA of the master's and the nodes' certificates; turns TLS on");
  app.add_option("--tls-cert-file", security.tls_cert_file,
                 "PEM: this node's certificate; needed to lend memory over TLS");
  app.add_option("--tls-key-file", security.tls_key_file, "PEM: its private key");
  app.add_flag("--tls-verify-clients", security.tls_verify_clients,
               "give and take data only with nodes that have a certificate of that CA");
  app.add_option("--token-file", security.token_file,
                 "a file with the token of the pool; or TANDEM_STORE_TOKEN of the environment");
}

void AddCommonFlags(CLI::App& app, StoreOptions& options) {
  app.add_option("--master", options.master,
                 "HOST:PORT of the master's --rpc_port; of several masters all, with commas, or "
                 "etcd://HOST:PORT of the etcd that they choose the leader by")
      ->capture_default_str();
  app.add_option("--local-hostname", options.hostname,
                 "where others reach this process (default: the address that reaches the master)");
  app.add_option("--metadata-server", options.metadata_server,
                 "http://HOST:8080/metadata, or P2PHANDSHAKE for none")
      ->capture_default_str();
  app.add_option("--protocol", options.protocol, "tcp or rdma")
      ->transform(OneOf({"tcp", "rdma"}))
      ->capture_default_str();
  app.add_option("--device-name", options.device_name, "RDMA devices, separated by commas");
  app.add_option("--local-buffer-size", options.buffer_bytes, "the most memory for transfers")
      ->transform(ByteSize())
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_seconds, "seconds")
      ->transform(WholeNumber(1, kLongestSeconds))
      ->capture_default_str();
  app.add_flag("--json", options.json, "print results as JSON");
  AddSecurityFlags(app, options.security);
}

void AddCommands(CLI::App& app, StoreFlags& flags) {
  CLI::App* serve = app.add_subcommand("serve", "lend memory to the pool until stopped");
  serve->add_option("--segment-size", flags.segment_size, "such as 4GB")->transform(ByteSize(1));
  serve
      ->add_option("--metrics-port", flags.metrics_port,
                   "serve /metrics there; 0 lets the system choose (default: nowhere)")
      ->transform(Port());
  serve->add_option("--ready-file", flags.ready_file, "written once it serves");

  CLI::App* put = app.add_subcommand("put", "store a file's bytes under a key");
  put->add_option("KEY", flags.key)->required();
  put->add_option("FILE", flags.file, "- for standard input")->required();
  put->add_option("--replicas", flags.replicate.replica_num)
      ->transform(WholeNumber(1, std::numeric_limits<int>::max()));
  put->add_flag("--soft-pin", flags.replicate.with_soft_pin, "evict it last");
  put->add_flag("--hard-pin", flags.replicate.with_hard_pin, "never evict it");

  CLI::App* get = app.add_subcommand("get", "write an object's bytes to a file");
  get->add_option("KEY", flags.key)->required();
  get->add_option("FILE", flags.file, "- for standard output")->capture_default_str();

  CLI::App* ls = app.add_subcommand("ls", "list keys");
  ls->add_option("PREFIX", flags.prefix, "that they begin with");

  CLI::App* rm = app.add_subcommand("rm", "remove objects");
  rm->add_option("KEY", flags.keys)->required();
  rm->add_flag("--force", flags.force, "even while they are being read");

  CLI::App* stat = app.add_subcommand("stat", "tell an object's size and places");
  stat->add_option("KEY", flags.key)->required();

  CLI::App* top = app.add_subcommand("top", "show the pool again and again until stopped");
  top->add_option("--metrics", flags.top.metrics,
                  "HOST:PORT of the master's --metrics_port, of several all, with commas (default: "
                  "9003 of each one's host; etcd does not know them)");
  top->add_option("--interval", flags.top.interval_seconds, "seconds")
      ->transform(Number(0.01, 3600))
      ->capture_default_str();
  top->add_option("--count", flags.top.count, "views to show (default: until stopped)")
      ->transform(WholeNumber(1, std::numeric_limits<int>::max()));

  app.add_subcommand("bench", "measure puts and gets; takes the flags of `tandem bench store`");
  for (CLI::App* command : {serve, put, get, ls, rm, stat, top}) command->fallthrough();
  app.footer("Ends with 0 once it is done, 1 if that failed, 2 for a wrong command line.");
  app.require_subcommand(1);
}

absl::Status Run(const std::string& command, const StoreFlags& flags) {
  StartLog(command == "serve" ? "store" : "");  // never to standard output: objects go there
  if (command == "serve") return ServeSegment(flags);
  if (command == "put") return PutObject(flags.common, flags.key, flags.file, flags.replicate);
  if (command == "get") return GetObject(flags.common, flags.key, flags.file);
  if (command == "ls") return ListObjects(flags.common, flags.prefix);
  if (command == "rm") return RemoveObjects(flags.common, flags.keys, flags.force);
  if (command == "top") {
    TopOptions options = flags.top;
    options.common = flags.common;
    return ShowTop(options);
  }
  return DescribeObject(flags.common, flags.key);
}

}  // namespace

int StoreCommand(const Arguments& arguments) {
  if (!arguments.empty() && arguments.front() == "bench") {
    Arguments bench = arguments;
    bench.front() = "store";
    return BenchCommand(bench);
  }
  StoreFlags flags;
  CLI::App app("Lends memory to the pool, or looks after the objects in it.", "tandem store");
  AddCommonFlags(app, flags.common);
  AddCommands(app, flags);
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const std::string command = app.get_subcommands().front()->get_name();
  if (command == "bench") {
    fmt::print(stderr,
               "tandem store: bench starts stores of its own and takes its flags behind its "
               "name: tandem store bench --help\n");
    return 2;
  }
  const absl::Status status = Run(command, flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "tandem store: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace tandem::cli

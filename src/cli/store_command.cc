#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/ready_file.h"
#include "cli/store_operations.h"
#include "cli/termination.h"

namespace tandem::cli {
namespace {

struct StoreFlags {
  StoreOptions common;
  uint64_t segment_size = uint64_t{4} << 30;
  store::ReplicateConfig replicate;
  std::string key, file = "-", prefix, ready_file;
  std::vector<std::string> keys;
  bool force = false;
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
  const int port = std::stoi(segment.substr(segment.rfind(':') + 1));
  if (const absl::Status told = WriteReadyFile(flags.ready_file, {{"data", port}}); !told.ok()) {
    return told;
  }
  termination.Wait();
  return absl::OkStatus();
}

void AddCommonFlags(CLI::App& app, StoreOptions& options) {
  app.add_option("--master", options.master, "HOST:PORT of the master's --rpc_port")
      ->capture_default_str();
  app.add_option("--local-hostname", options.hostname,
                 "where others reach this process (default: the address that reaches the master)");
  app.add_option("--metadata-server", options.metadata_server,
                 "http://HOST:8080/metadata, or P2PHANDSHAKE for none")
      ->capture_default_str();
  app.add_option("--protocol", options.protocol, "tcp or rdma")->capture_default_str();
  app.add_option("--device-name", options.device_name, "RDMA devices, separated by commas");
  app.add_option("--local-buffer-size", options.buffer_bytes, "the most memory for transfers")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_seconds, "seconds")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--json", options.json, "print results as JSON");
}

void AddCommands(CLI::App& app, StoreFlags& flags) {
  CLI::App* serve = app.add_subcommand("serve", "lend memory to the pool until stopped");
  serve->add_option("--segment-size", flags.segment_size, "such as 4GB")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  serve->add_option("--ready-file", flags.ready_file, "written once it serves");

  CLI::App* put = app.add_subcommand("put", "store a file's bytes under a key");
  put->add_option("KEY", flags.key)->required();
  put->add_option("FILE", flags.file, "- for standard input")->required();
  put->add_option("--replicas", flags.replicate.replica_num)->check(CLI::PositiveNumber);
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
  for (CLI::App* command : {serve, put, get, ls, rm, stat}) command->fallthrough();
  app.require_subcommand(1);
}

absl::Status Run(const std::string& command, const StoreFlags& flags) {
  StartLog(command == "serve" ? "store" : "");  // never to standard output: objects go there
  if (command == "serve") return ServeSegment(flags);
  if (command == "put") return PutObject(flags.common, flags.key, flags.file, flags.replicate);
  if (command == "get") return GetObject(flags.common, flags.key, flags.file);
  if (command == "ls") return ListObjects(flags.common, flags.prefix);
  if (command == "rm") return RemoveObjects(flags.common, flags.keys, flags.force);
  return DescribeObject(flags.common, flags.key);
}

}  // namespace

int StoreCommand(const Arguments& arguments) {
  StoreFlags flags;
  CLI::App app("Lends memory to the pool, or looks after the objects in it.", "tandem store");
  AddCommonFlags(app, flags.common);
  AddCommands(app, flags);
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status = Run(app.get_subcommands().front()->get_name(), flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "tandem store: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace tandem::cli

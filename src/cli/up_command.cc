#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <variant>

#include "cli/accepted_value.h"
#include "cli/commands.h"
#include "cli/ready_file.h"
#include "cli/serve_flags.h"
#include "cli/termination.h"
#include "supervisor/deployment.h"
#include "supervisor/line_printer.h"
#include "supervisor/run_directory.h"

namespace tandem::cli {
namespace {

using supervisor::DeploymentOptions;
using supervisor::DeploymentPorts;

struct PortFlag {
  const char* name;
  int DeploymentPorts::*port;
  const char* help;
};

/// As many as `tandem serve` takes.
constexpr int kMostThreads = 4096;

/// In the order of --port-base.
constexpr PortFlag kPortFlags[] = {
    {"--rpc-port", &DeploymentPorts::rpc, "of the master"},
    {"--metadata-port", &DeploymentPorts::metadata, "of the master"},
    {"--metrics-port", &DeploymentPorts::metrics, "of the master"},
    {"--prefiller-port", &DeploymentPorts::prefiller, ""},
    {"--decoder-port", &DeploymentPorts::decoder, ""},
    {"--port", &DeploymentPorts::proxy, "of the proxy, where requests go"},
};

struct UpOptions {
  DeploymentOptions deployment;
  std::array<std::optional<int>, std::size(kPortFlags)> ports;
  std::optional<int> port_base;
  int grace_seconds = 30;
  std::string ready_file;
};

void AddFlags(CLI::App& app, UpOptions& options) {
  DeploymentOptions& deployment = options.deployment;
  app.add_option("MODEL", deployment.model, "a GGUF file, a checkpoint directory or a hub name")
      ->required();
  app.add_option("--host", deployment.host, "address to listen on")->capture_default_str();
  for (size_t i = 0; i < std::size(kPortFlags); ++i) {
    const int guide_port = DeploymentPorts().*kPortFlags[i].port;
    app.add_option(kPortFlags[i].name, options.ports[i], kPortFlags[i].help)
        ->transform(Port())
        ->default_str(std::to_string(guide_port));
  }
  app.add_option("--port-base", options.port_base,
                 "six ports in a row from here, in the order rpc, metadata, metrics, prefiller, "
                 "decoder, proxy; 0 lets the system choose all")
      ->transform(WholeNumber(0, 65536 - static_cast<int>(std::size(kPortFlags))));
  app.add_option("--served-model-name", deployment.served_model_names, "names for requests");
  app.add_option("--threads", deployment.threads, "of each engine (default: shared out)")
      ->transform(WholeNumber(0, kMostThreads));
  app.add_option("--segment-size", deployment.segment_size, "memory each engine lends to the store")
      ->transform(ByteSize())
      ->capture_default_str();
  app.add_option("--grace", options.grace_seconds,
                 "seconds that requests in flight may take when stopping")
      ->transform(WholeNumber(0, kLongestSeconds))
      ->capture_default_str();
  app.add_option("--ready-file", options.ready_file, "written with all ports when all serve");
  app.footer("Arguments after -- go to both engines, as 'tandem serve' takes them.");
}

void Resolve(UpOptions& options) {
  for (size_t i = 0; i < std::size(kPortFlags); ++i) {
    int& port = options.deployment.ports.*kPortFlags[i].port;
    if (options.port_base) port = *options.port_base == 0 ? 0 : *options.port_base + int(i);
    if (options.ports[i]) port = *options.ports[i];
  }
  options.deployment.grace = std::chrono::seconds(options.grace_seconds);
  options.deployment.program = std::filesystem::read_symlink("/proc/self/exe").string();
}

/// The exit code if both engines would end with the arguments that are for them.
std::optional<int> RefuseEngineArguments(const DeploymentOptions& deployment) {
  Arguments arguments{deployment.model};
  arguments.insert(arguments.end(), deployment.engine_arguments.begin(),
                   deployment.engine_arguments.end());
  const auto parsed = ParseServeFlags(arguments);
  const int* code = std::get_if<int>(&parsed);
  if (code == nullptr) return std::nullopt;
  if (*code != 0) {
    std::fputs("tandem up: what stands after -- goes to 'tandem serve', which refuses it\n",
               stderr);
  }
  return *code;
}

int Fail(const absl::Status& error, int exit_code) {
  std::fprintf(stderr, "tandem up: %s\n", std::string(error.message()).c_str());
  return exit_code;
}

}  // namespace

int UpCommand(const Arguments& arguments) {
  UpOptions options;
  CLI::App app("Runs master, prefiller, decoder and proxy on this machine.", "tandem up");
  AddFlags(app, options);
  const auto split = std::find(arguments.begin(), arguments.end(), "--");
  try {
    app.parse(std::vector<std::string>(std::make_reverse_iterator(split), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (split != arguments.end()) options.deployment.engine_arguments = {split + 1, arguments.end()};
  if (const std::optional<int> code = RefuseEngineArguments(options.deployment)) return *code;

  Termination termination;
  const auto directory = supervisor::RunDirectory::Create(
      std::filesystem::temp_directory_path().string(), "tandem-up-");
  if (!directory.ok()) return Fail(directory.status(), 1);
  options.deployment.directory = (*directory)->path();
  DeploymentPorts ports;
  Resolve(options);
  absl::StatusOr<std::vector<supervisor::ChildPlan>> plans =
      supervisor::PlanDeployment(options.deployment, ports);
  if (!plans.ok()) return Fail(plans.status(), 2);
  supervisor::LinePrinter printer(STDOUT_FILENO);
  supervisor::Supervisor supervisor(
      *std::move(plans), (*directory)->path(), options.deployment.grace,
      [&printer](const std::string& lines) { printer.Print(lines); }, Clock::Real());
  return supervisor.Run(termination.fd(), [&] {
    const absl::Status told = WriteReadyFile(options.ready_file, {{"rpc", ports.rpc},
                                                                  {"metadata", ports.metadata},
                                                                  {"metrics", ports.metrics},
                                                                  {"prefiller", ports.prefiller},
                                                                  {"decoder", ports.decoder},
                                                                  {"http", ports.proxy}});
    if (!told.ok()) std::fprintf(stderr, "tandem up: %s\n", told.ToString().c_str());
  });
}

}  // namespace tandem::cli

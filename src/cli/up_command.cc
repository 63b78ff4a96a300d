#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "cli/commands.h"
#include "cli/ready_file.h"
#include "cli/termination.h"
#include "supervisor/deployment.h"
#include "supervisor/line_printer.h"

namespace tandem::cli {
namespace {

using supervisor::DeploymentOptions;
using supervisor::DeploymentPorts;

/// A directory of this run's own that is removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "tandem-up-XXXXXX").string();
    if (mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct PortFlag {
  const char* name;
  int DeploymentPorts::*port;
  const char* help;
};

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
        ->default_str(std::to_string(guide_port));
  }
  app.add_option("--port-base", options.port_base,
                 "six ports in a row from here, in the order rpc, metadata, metrics, prefiller, "
                 "decoder, proxy; 0 lets the system choose all");
  app.add_option("--served-model-name", deployment.served_model_names, "names for requests");
  app.add_option("--threads", deployment.threads, "of each engine (default: shared out)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--segment-size", deployment.segment_size, "memory each engine lends to the store")
      ->capture_default_str();
  app.add_option("--grace", options.grace_seconds,
                 "seconds that requests in flight may take when stopping")
      ->check(CLI::NonNegativeNumber)
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

  Termination termination;
  const TemporaryDirectory directory;
  options.deployment.directory = directory.path();
  DeploymentPorts ports;
  Resolve(options);
  absl::StatusOr<std::vector<supervisor::ChildPlan>> plans =
      supervisor::PlanDeployment(options.deployment, ports);
  if (!plans.ok()) {
    std::fprintf(stderr, "tandem up: %s\n", std::string(plans.status().message()).c_str());
    return 2;
  }
  supervisor::LinePrinter printer(STDOUT_FILENO);
  supervisor::Supervisor supervisor(
      *std::move(plans), directory.path(),
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

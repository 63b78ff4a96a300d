#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "supervisor/supervisor.h"

namespace tandem::supervisor {

/// The ports of a deployment; the defaults are the guide's, 0 lets the system choose.
struct DeploymentPorts {
  int rpc = 50051;
  int metadata = 8080;
  int metrics = 9003;
  int prefiller = 8100;
  int decoder = 8200;
  int proxy = 9000;
};

/// One master, prefiller, decoder and proxy on this machine.
struct DeploymentOptions {
  std::string program;  ///< Path of the tandem executable.
  std::string model;
  std::string host = "127.0.0.1";  ///< What they listen on.
  DeploymentPorts ports;
  std::vector<std::string> served_model_names;
  std::string segment_size = "4GB";           ///< What each engine lends to the pool.
  int threads = 0;                            ///< Of each engine; 0 shares the cores out.
  std::vector<std::string> engine_arguments;  ///< Added to both engines' command lines.
  Duration grace = std::chrono::seconds(30);  ///< For requests in flight when stopping.
  std::string directory;                      ///< Existing; for configuration and ready files.
};

/// Threads of each of two engines on a machine with `cores`: all of them up to two, because prefill
/// and decode of one request take turns, and half of them beyond.
int ThreadsForEach(int cores);

/// OK if every fixed port is free and none is used twice; the error names the port and its flag.
absl::Status CheckPorts(const DeploymentOptions& options);

/// The four children in the order they start. `ports` is where they find, and tell, the ports in
/// use; a port once chosen by the system is kept over restarts. It must outlive the plans.
absl::StatusOr<std::vector<ChildPlan>> PlanDeployment(const DeploymentOptions& options,
                                                      DeploymentPorts& ports);

}  // namespace tandem::supervisor

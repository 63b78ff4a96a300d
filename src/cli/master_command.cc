#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/master_flags.h"
#include "cli/ready_file.h"
#include "cli/termination.h"
#include "http/router.h"
#include "http/server.h"
#include "store/master/admin_http.h"
#include "store/master/maintenance.h"
#include "store/master/master_service.h"
#include "store/master/metadata_http.h"

namespace tandem::cli {
namespace {

constexpr std::chrono::seconds kReportEvery(10);

absl::StatusOr<std::unique_ptr<http::Server>> Serve(const std::string& host, int port,
                                                    const http::Router& router, const char* flag) {
  auto server =
      http::Server::Start({.host = host, .port = port}, [&router](auto request, auto writer) {
        router.Dispatch(std::move(request), std::move(writer));
      });
  if (server.ok()) return server;
  return absl::Status(server.status().code(),
                      fmt::format("{}; --{} chooses another port, 0 lets the system choose",
                                  std::string(server.status().message()), flag));
}

/// A master with everything around it, from start to stop.
class MasterProcess {
 public:
  explicit MasterProcess(const MasterFlags& flags)
      : flags_(flags),
        metrics_(registry_),
        master_(WithLife(flags.master), metrics_, Clock::Real()),
        maintenance_(master_) {
    store::AddAdminRoutes(admin_routes_, master_, metrics_, registry_);
    store::AddMetadataRoutes(metadata_routes_, metadata_);
  }

  absl::Status Start() {
    auto service = store::MasterService::Start(
        {flags_.rpc_address, flags_.rpc_port, static_cast<int>(flags_.rpc_thread_num)}, master_,
        metrics_);
    if (!service.ok()) {
      return absl::Status(
          service.status().code(),
          fmt::format(
              "{}; --rpc_address and --rpc_port choose another, port 0 lets the system choose",
              std::string(service.status().message())));
    }
    service_ = *std::move(service);
    std::map<std::string, int> ports{{"rpc", service_->port()}};

    ASSIGN_OR_RETURN(admin_server_,
                     Serve(flags_.rpc_address, flags_.metrics_port, admin_routes_, "metrics_port"));
    ports["metrics"] = admin_server_->port();
    if (flags_.enable_http_metadata_server) {
      ASSIGN_OR_RETURN(metadata_server_,
                       Serve(flags_.http_metadata_server_host, flags_.http_metadata_server_port,
                             metadata_routes_, "http_metadata_server_port"));
      ports["metadata"] = metadata_server_->port();
    }
    for (const auto& [name, port] : ports) spdlog::info("serving {} on port {}", name, port);
    return WriteReadyFile(flags_.ready_file, ports);
  }

  /// Serves until a signal comes, and reports now and then.
  void Run(const Termination& termination) {
    std::string reported;
    pollfd waited{termination.fd(), POLLIN, 0};
    const int milliseconds = std::chrono::milliseconds(kReportEvery).count();
    while (poll(&waited, 1, milliseconds) <= 0) {
      const std::string summary = store::Summary(master_.usage());
      if (flags_.enable_metric_reporting && summary != reported) spdlog::info("{}", summary);
      reported = summary;
    }
  }

 private:
  static store::MasterOptions WithLife(store::MasterOptions options) {
    options.first_generation = store::FirstGenerationOfNow();
    options.random_seed = std::random_device()();
    return options;
  }

  const MasterFlags& flags_;
  MetricRegistry registry_;
  store::MasterMetrics metrics_;
  store::Master master_;
  store::Maintenance maintenance_;
  store::MetadataStore metadata_;
  http::Router admin_routes_, metadata_routes_;
  std::unique_ptr<store::MasterService> service_;
  std::unique_ptr<http::Server> admin_server_, metadata_server_;
};

}  // namespace

int MasterCommand(const Arguments& arguments) {
  const absl::StatusOr<MasterFlags> flags = MasterFlags::Parse(arguments);
  if (!flags.ok()) {
    std::fprintf(stderr, "tandem master: %s\n", std::string(flags.status().message()).c_str());
    return 2;
  }
  if (!flags->help.empty()) {
    std::fputs(flags->help.c_str(), stdout);
    return 0;
  }
  const Termination termination;
  StartLog("master");
  if (flags->verbosity > 0) spdlog::set_level(spdlog::level::debug);
  for (const std::string& note : flags->without_effect) spdlog::warn("{}", note);

  MasterProcess process(*flags);
  if (const absl::Status status = process.Start(); !status.ok()) {
    std::fprintf(stderr, "tandem master: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  process.Run(termination);
  return 0;
}

}  // namespace tandem::cli

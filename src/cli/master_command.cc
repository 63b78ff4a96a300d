#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "base/host_port.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/master_flags.h"
#include "cli/ready_file.h"
#include "cli/secured_server.h"
#include "cli/termination.h"
#include "http/router.h"
#include "http/server.h"
#include "store/master/admin_http.h"
#include "store/master/leadership.h"
#include "store/master/maintenance.h"
#include "store/master/master_service.h"
#include "store/master/metadata_http.h"
#include "store/master/serving_master.h"
#include "store/master/snapshot_store.h"
#include "store/master/snapshot_writer.h"

namespace tandem::cli {
namespace {

constexpr std::chrono::seconds kReportEvery(10);
/// Owners ask an absent master anew several times a second.
constexpr std::chrono::seconds kRecoveryTime(1), kElectedRecoveryTime(2);
/// Questions about objects wait until their owners have registered; /health and /metrics do not.
constexpr int kHttpThreads = 8;

void Warn(const std::string& warning) {
  if (!warning.empty()) spdlog::warn("{}", warning);
}

absl::StatusOr<std::unique_ptr<http::Server>> Serve(const std::string& host, int port,
                                                    const Secured& secured,
                                                    const http::Router& router, const char* flag) {
  return ServeSecured(
      {.host = host, .port = port, .threads = kHttpThreads}, secured,
      [&router](auto request, auto writer) {
        router.Dispatch(std::move(request), std::move(writer));
      },
      flag);
}

/// A master with everything around it, from start to stop.
class MasterProcess {
 public:
  MasterProcess(const MasterFlags& flags, const Secured& secured)
      : flags_(flags), secured_(secured), metrics_(registry_) {
    store::AddAdminRoutes(admin_routes_, *serving_, metrics_, registry_);
    store::AddMetadataRoutes(metadata_routes_, metadata_);
  }

  absl::Status Start() {
    auto service =
        store::MasterService::Start({flags_.rpc_address, flags_.rpc_port,
                                     static_cast<int>(flags_.rpc_thread_num), secured_.security},
                                    serving_, metrics_);
    if (!service.ok()) {
      return absl::Status(
          service.status().code(),
          fmt::format(
              "{}; --rpc_address and --rpc_port choose another, port 0 lets the system choose",
              std::string(service.status().message())));
    }
    service_ = *std::move(service);
    std::map<std::string, int> ports{{"rpc", service_->port()}};

    ASSIGN_OR_RETURN(admin_server_, Serve(flags_.rpc_address, flags_.metrics_port, secured_,
                                          admin_routes_, "metrics_port"));
    ports["metrics"] = admin_server_->port();
    if (flags_.enable_http_metadata_server) {
      ASSIGN_OR_RETURN(
          metadata_server_,
          Serve(flags_.http_metadata_server_host, flags_.http_metadata_server_port, secured_,
                metadata_routes_, "http_metadata_server_host or --http_metadata_server_port"));
      ports["metadata"] = metadata_server_->port();
    }
    if (!flags_.snapshot_backup_dir.empty()) {
      auto snapshots = store::SnapshotStore::Open(flags_.snapshot_backup_dir, flags_.cluster_id);
      if (!snapshots.ok()) {
        return absl::Status(snapshots.status().code(),
                            fmt::format("--snapshot_backup_dir={}: {}", flags_.snapshot_backup_dir,
                                        std::string(snapshots.status().message())));
      }
      snapshots_ = *std::move(snapshots);
    }
    for (const auto& [name, port] : ports) {
      spdlog::info("serving {} on port {}{}", name, port, secured_.security.tls ? " over TLS" : "");
    }
    Warn(ExposureWarning("calls and administration are served", flags_.rpc_address,
                         secured_.security));
    if (metadata_server_ != nullptr) {
      Warn(ExposureWarning("metadata is served", flags_.http_metadata_server_host,
                           secured_.security));
    }
    if (flags_.enable_ha) {
      Campaign();
    } else {
      BeginLife(store::FirstGenerationOfNow(), nullptr);
    }
    return WriteReadyFile(flags_.ready_file, ports);
  }

  /// Serves until a signal comes, and reports now and then.
  void Run(const Termination& termination) {
    std::string reported;
    pollfd waited{termination.fd(), POLLIN, 0};
    const int milliseconds = std::chrono::milliseconds(kReportEvery).count();
    while (poll(&waited, 1, milliseconds) <= 0) {
      const std::shared_ptr<store::Master> master = serving_->Get();
      if (master == nullptr) continue;
      const std::string summary = store::Summary(master->usage());
      if (flags_.enable_metric_reporting && summary != reported) spdlog::info("{}", summary);
      reported = summary;
    }
  }

 private:
  /// From here to EndLife this process knows and answers; what it knows its clients tell it.
  void BeginLife(uint64_t first_generation, std::function<bool()> may_serve) {
    store::MasterOptions options = flags_.master;
    options.first_generation = first_generation;
    options.random_seed = std::random_device()();
    options.recovery_time = RecoveryTime();
    auto master =
        std::make_shared<store::Master>(options, metrics_, Clock::Real(), snapshots_.get());
    if (snapshots_ != nullptr) {
      const absl::StatusOr<store::proto::Snapshot> snapshot = snapshots_->Load();
      if (snapshot.ok()) {
        master->Restore(*snapshot);
      } else {
        spdlog::warn("{}; owners register what they hold",
                     std::string(snapshot.status().message()));
      }
      snapshot_writer_ = std::make_unique<store::SnapshotWriter>(
          *master, *snapshots_, std::chrono::seconds(flags_.snapshot_interval_seconds));
    }
    maintenance_ = std::make_unique<store::Maintenance>(*master);
    serving_->Serve(std::move(master), std::move(may_serve));
  }

  /// Owners that still wait for a leader which stands still find the next one when their ping has
  /// waited for long enough. A failover stays within twice the lease, if that is 3 s or more.
  Duration RecoveryTime() const {
    if (!flags_.enable_ha) return kRecoveryTime;
    return std::max<Duration>(kElectedRecoveryTime,
                              std::chrono::milliseconds(1000) * flags_.etcd_lease_seconds * 2 / 3);
  }

  void EndLife() {
    maintenance_.reset();
    serving_->StandBy();
  }

  void Campaign() {
    store::Leadership::Options options;
    options.etcd_endpoints = flags_.etcd_endpoints;
    options.cluster_id = flags_.cluster_id;
    options.address = FormatHostPort(AdvertisedHost(), service_->port());
    options.lease_seconds = flags_.etcd_lease_seconds;
    leadership_ = std::make_unique<store::Leadership>(
        std::move(options), store::Leadership::Callbacks{.on_elected =
                                                             [this](uint64_t first_generation) {
                                                               BeginLife(first_generation, [this] {
                                                                 return leadership_->leads();
                                                               });
                                                             },
                                                         .on_lost = [this] { EndLife(); }});
    leadership_->Start();
  }

  /// What tells this master from others of the cluster.
  std::string AdvertisedHost() const {
    std::string host = WithoutBrackets(flags_.rpc_address);
    if (host != "0.0.0.0" && host != "::") return host;
    char name[256] = "localhost";
    (void)!gethostname(name, sizeof(name) - 1);
    return name;
  }

  const MasterFlags& flags_;
  const Secured& secured_;
  MetricRegistry registry_;
  store::MasterMetrics metrics_;
  const std::shared_ptr<store::ServingMaster> serving_ = std::make_shared<store::ServingMaster>();
  std::unique_ptr<store::SnapshotStore> snapshots_;
  std::unique_ptr<store::SnapshotWriter> snapshot_writer_;
  std::unique_ptr<store::Maintenance> maintenance_;  // of the life that serving_ serves
  store::MetadataStore metadata_;
  http::Router admin_routes_, metadata_routes_;
  std::unique_ptr<store::MasterService> service_;
  std::unique_ptr<http::Server> admin_server_, metadata_server_;
  std::unique_ptr<store::Leadership> leadership_;  // ends first: it ends the life
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
  const absl::StatusOr<Secured> secured = Secure(flags->security);
  if (!secured.ok()) {
    std::fprintf(stderr, "tandem master: %s\n", std::string(secured.status().message()).c_str());
    return 2;
  }
  const Termination termination;
  StartLog("master");
  if (flags->verbosity > 0) spdlog::set_level(spdlog::level::debug);
  for (const std::string& note : flags->without_effect) spdlog::warn("{}", note);

  MasterProcess process(*flags, *secured);
  if (const absl::Status status = process.Start(); !status.ok()) {
    std::fprintf(stderr, "tandem master: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  process.Run(termination);
  return 0;
}

}  // namespace tandem::cli

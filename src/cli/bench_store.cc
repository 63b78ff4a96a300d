#include "cli/bench_store.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/scoped_fd.h"
#include "base/status.h"
#include "cli/waiting_line.h"
#include "loadgen/store_report.h"
#include "store/client/store_client.h"
#include "store/master/maintenance.h"
#include "store/master/master_service.h"

namespace tandem::cli {
namespace {

using loadgen::StoreFigure;

constexpr Duration kChildTimeout = std::chrono::minutes(5);
constexpr char kOwnPut[] = "put, own segment";

absl::Status OwnerFailed() {
  return absl::UnavailableError("the process that lends memory failed");
}

/// Lines between a process and its child.
class LineChannel {
 public:
  explicit LineChannel(ScopedFd fd) : fd_(std::move(fd)) {}

  void Send(const std::string& text) {
    const std::string line = text + "\n";
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t n = send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
      if (n <= 0 && errno != EINTR) return;
      if (n > 0) sent += n;
    }
  }

  /// The next line; empty at the end or after `timeout`.
  std::string Receive(Duration timeout) {
    const TimePoint deadline = Clock::Real().Now() + timeout;
    size_t end = 0;
    while ((end = received_.find('\n')) == std::string::npos) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::Real().Now());
      pollfd waited{fd_.get(), POLLIN, 0};
      if (left.count() <= 0 || poll(&waited, 1, static_cast<int>(left.count())) <= 0) return "";
      char buffer[4096];
      const ssize_t n = read(fd_.get(), buffer, sizeof(buffer));
      if (n <= 0) return "";
      received_.append(buffer, n);
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    return line;
  }

 private:
  ScopedFd fd_;
  std::string received_;
};

absl::StatusOr<std::unique_ptr<store::StoreClient>> Join(
    const BenchStoreOptions& options, const std::string& master, uint64_t segment_bytes,
    const std::string& host_identity, MetricRegistry& metrics, bool verify_local_reads = false) {
  return store::StoreClient::Create({.local_hostname = options.hostname,
                                     .metadata_server = options.metadata_server,
                                     .master_address = master,
                                     .protocol = options.protocol,
                                     .device_name = options.device_name,
                                     .segment_bytes = segment_bytes,
                                     .transfer_timeout = std::chrono::seconds(10),
                                     .host_identity = host_identity,
                                     .verify_local_reads = verify_local_reads},
                                    metrics, Clock::Real());
}

/// The child: puts into its own segment, reports, and stays until the parent is done.
absl::Status OwnSegment(const BenchStoreOptions& options, const std::string& prefix,
                        LineChannel& parent) {
  const std::string master = parent.Receive(kChildTimeout);
  if (master.empty()) return absl::UnavailableError("the measuring process has gone");
  MetricRegistry metrics;
  ASSIGN_OR_RETURN(const auto client, Join(options, master, options.segment_bytes, "", metrics));
  parent.Send(client->segment_name());
  ASSIGN_OR_RETURN(const std::vector<StoreFigure> figures,
                   loadgen::MeasurePuts(*client, options.load, kOwnPut, prefix + "own", ""));
  parent.Send(loadgen::WriteFigures(figures));
  parent.Receive(kChildTimeout);
  loadgen::RemoveObjects(*client, options.load, prefix + "own");
  return absl::OkStatus();
}

/// The process that lends the segment.
class OwnerProcess {
 public:
  static absl::StatusOr<std::unique_ptr<OwnerProcess>> Fork(const BenchStoreOptions& options,
                                                            const std::string& prefix) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return absl::ErrnoToStatus(errno, "socketpair");
    }
    ScopedFd ours(ends[0]), theirs(ends[1]);
    const pid_t pid = fork();
    if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
    if (pid == 0) {
      ours.Reset();
      LineChannel parent(std::move(theirs));
      const absl::Status status = OwnSegment(options, prefix, parent);
      if (!status.ok()) spdlog::error("{}", std::string(status.message()));
      _exit(status.ok() ? 0 : 1);
    }
    return std::unique_ptr<OwnerProcess>(new OwnerProcess(pid, LineChannel(std::move(ours))));
  }

  ~OwnerProcess() {
    channel.Send("done");
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  LineChannel channel;

 private:
  OwnerProcess(pid_t pid, LineChannel channel) : channel(std::move(channel)), pid_(pid) {}
  const pid_t pid_;
};

/// A master for the length of a measurement.
class OwnMaster {
 public:
  absl::StatusOr<std::string> Start() {
    // As that of the clients: from the environment.
    ASSIGN_OR_RETURN(const Security security, LoadSecurity({}));
    ASSIGN_OR_RETURN(service_,
                     store::MasterService::Start({.address = "127.0.0.1", .security = security},
                                                 store::ServingMaster::Of(master_), metrics_));
    return fmt::format("127.0.0.1:{}", service_->port());
  }

 private:
  MetricRegistry registry_;
  store::MasterMetrics metrics_{registry_};
  store::Master master_{
      {.first_generation = store::FirstGenerationOfNow()}, metrics_, Clock::Real()};
  store::Maintenance maintenance_{master_};
  std::unique_ptr<store::MasterService> service_;
};

}  // namespace

absl::StatusOr<std::vector<StoreFigure>> BenchStore(const BenchStoreOptions& options) {
  const std::string prefix = fmt::format("bench/{}/", getpid());
  std::unique_ptr<OwnMaster> own_master;  // Outlives the members of its pool.
  ASSIGN_OR_RETURN(const auto owner, OwnerProcess::Fork(options, prefix));
  std::string master = options.master;
  if (master.empty()) {
    own_master = std::make_unique<OwnMaster>();
    ASSIGN_OR_RETURN(master, own_master->Start());
  }
  owner->channel.Send(master);
  const std::string segment = owner->channel.Receive(kChildTimeout);
  if (segment.empty()) return OwnerFailed();
  std::vector<StoreFigure> figures;
  const auto measure = [&figures](const std::string& way, auto run) -> absl::Status {
    const WaitingLine line("measuring " + way);
    ASSIGN_OR_RETURN(const std::vector<StoreFigure> more, run(way));
    figures.insert(figures.end(), more.begin(), more.end());
    return absl::OkStatus();
  };
  const auto get_by = [&](store::StoreClient& client) {
    return [&](const std::string& way) {
      return loadgen::MeasureGets(client, options.load, way, prefix + "own");
    };
  };
  const auto put_by = [&](store::StoreClient& client, const std::string& name) {
    return [&, name](const std::string& way) {
      auto put = loadgen::MeasurePuts(client, options.load, way, prefix + name, segment);
      loadgen::RemoveObjects(client, options.load, prefix + name);
      return put;
    };
  };

  RETURN_IF_ERROR(measure(kOwnPut, [&](const std::string&) {
    const std::string measured = owner->channel.Receive(kChildTimeout);
    if (measured.empty()) return absl::StatusOr<std::vector<StoreFigure>>(OwnerFailed());
    return loadgen::ReadFigures(measured);
  }));
  MetricRegistry metrics, careful_metrics, stranger_metrics;
  ASSIGN_OR_RETURN(const auto neighbour, Join(options, master, 0, "", metrics));
  RETURN_IF_ERROR(measure("get, same host (mapped)", get_by(*neighbour)));
  ASSIGN_OR_RETURN(const auto careful,
                   Join(options, master, 0, "", careful_metrics, /*verify_local_reads=*/true));
  RETURN_IF_ERROR(measure("get, same host, verified", get_by(*careful)));
  RETURN_IF_ERROR(measure("put, another's segment", put_by(*neighbour, "put")));
  ASSIGN_OR_RETURN(const auto stranger,
                   Join(options, master, 0, "host of tandem bench", stranger_metrics));
  RETURN_IF_ERROR(measure(fmt::format("get, {} transfer", options.protocol), get_by(*stranger)));
  RETURN_IF_ERROR(
      measure(fmt::format("put, {} transfer", options.protocol), put_by(*stranger, "sent")));
  return figures;
}

}  // namespace tandem::cli

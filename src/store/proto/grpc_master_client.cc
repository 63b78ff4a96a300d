#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/host_port.h"
#include "base/mutex.h"
#include "base/status.h"
#include "store/proto/call_channel.h"
#include "store/proto/grpc_setup.h"
#include "store/proto/local_socket.h"
#include "store/proto/master_client.h"
#include "store/proto/message_limits.h"
#include "store/proto/remote_socket.h"
#include "store/proto/store.grpc.pb.h"
#include "store/proto/tls_probe.h"

namespace tandem::store {
namespace {

/// For how long a ping that failed waits for the connection to come back.
constexpr Duration kDriveConnection = std::chrono::milliseconds(200);
/// What a ping has, and beside the time that it waits at the master at least: of several masters
/// the one that leads now has to hear of its owners soon, while they may still wait for one that
/// stands still.
constexpr Duration kPingPatience = std::chrono::milliseconds(1500);
constexpr Duration kBesideItsWait = std::chrono::milliseconds(500);

absl::StatusOr<HostPort> ParseMasterAddress(const std::string& address) {
  if (address.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("master_server_address: '", address,
                     "' is not HOST:PORT; of several masters all are listed, with commas, or it is "
                     "etcd://HOST:PORT of the etcd by which they choose who leads"));
  }
  absl::StatusOr<HostPort> master = ParseHostPort(address);
  if (!master.ok() || master->port == 0) {
    return absl::InvalidArgumentError(absl::StrCat("master_server_address: '", address,
                                                   "' is not HOST:PORT with a port in 1..65535"));
  }
  return master;
}

grpc::ChannelArguments MasterChannelArguments() {
  SetUpGrpc();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // A master that comes back is found within a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);  // The time a connect may take.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 300);
  // A host that vanished without closing its connections is noticed within seconds.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 2000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // An http_proxy of the environment is meant for the Internet.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Connections shared in the process would share one client's back-off with all.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

gpr_timespec ToGprTime(TimePoint deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
      deadline - std::chrono::steady_clock::now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
}

/// How a client shows who it is, and tells who the master is.
struct Credentials {
  std::shared_ptr<grpc::ChannelCredentials> channel = grpc::InsecureChannelCredentials();
  TlsContext tls;  ///< The same for OpenSSL; null without TLS.
  BearerToken token;
};

absl::StatusOr<Credentials> MakeCredentials(const Security& security) {
  Credentials credentials;
  credentials.token = security.token;
  if (!security.tls) return credentials;
  // Finds what is wrong with the files, of which gRPC says nothing.
  ASSIGN_OR_RETURN(credentials.tls, MakeTlsClientContext(security.files));
  ASSIGN_OR_RETURN(const TlsTexts texts, ReadTlsFiles(security.files));
  credentials.channel = grpc::SslCredentials({texts.ca, texts.key, texts.certificate});
  return credentials;
}

/// One master, or several of which one leads: calls go to the one that answered last, then to the
/// others, or to the one that is found to lead.
class GrpcMasterClient : public MasterClient {
 public:
  GrpcMasterClient(const std::vector<HostPort>& addresses, const Credentials& credentials)
      : credentials_(credentials), find_leader_(nullptr), attempts_(addresses.size()) {
    MutexLock lock(mutex_);
    for (const HostPort& address : addresses) Add(address);
    leader_ = masters_.front().get();
  }
  GrpcMasterClient(FindLeader find_leader, const Credentials& credentials)
      : credentials_(credentials), find_leader_(std::move(find_leader)), attempts_(2) {}

  absl::StatusOr<proto::MountSegmentResponse> MountSegment(
      const proto::MountSegmentRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::MountSegment, request, deadline);
  }
  absl::StatusOr<proto::UnmountSegmentResponse> UnmountSegment(
      const proto::UnmountSegmentRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::UnmountSegment, request, deadline);
  }
  absl::StatusOr<proto::PingResponse> Ping(const proto::PingRequest& request,
                                           TimePoint deadline) override {
    auto response = Call(HotCall::kPing, &proto::Master::Stub::Ping, request, deadline);
    // Connections are made only while somebody waits for one; gRPC by itself looks after them every
    // five seconds.
    if (absl::IsUnavailable(response.status()) && find_leader_ == nullptr) {
      for (OneMaster* master : Masters()) {
        const TimePoint wait = Clock::Real().Now() + kDriveConnection;
        master->channel->WaitForConnected(ToGprTime(std::min(deadline, wait)));
      }
    }
    return response;
  }
  absl::StatusOr<proto::RegisterObjectsResponse> RegisterObjects(
      const proto::RegisterObjectsRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::RegisterObjects, request, deadline);
  }
  absl::StatusOr<proto::OffloadResponse> Offload(const proto::OffloadRequest& request,
                                                 TimePoint deadline) override {
    return Call(&proto::Master::Stub::Offload, request, deadline);
  }
  absl::StatusOr<proto::PutStartResponse> PutStart(const proto::PutStartRequest& request,
                                                   TimePoint deadline) override {
    return Call(HotCall::kPutStart, &proto::Master::Stub::PutStart, request, deadline);
  }
  absl::StatusOr<proto::ResultsResponse> PutEnd(const proto::PutEndRequest& request,
                                                TimePoint deadline) override {
    return Call(HotCall::kPutEnd, &proto::Master::Stub::PutEnd, request, deadline);
  }
  absl::StatusOr<proto::ResultsResponse> PutRevoke(const proto::PutRevokeRequest& request,
                                                   TimePoint deadline) override {
    return Call(&proto::Master::Stub::PutRevoke, request, deadline);
  }
  absl::StatusOr<proto::GetReplicasResponse> GetReplicas(const proto::GetReplicasRequest& request,
                                                         TimePoint deadline) override {
    return Call(HotCall::kGetReplicas, &proto::Master::Stub::GetReplicas, request, deadline);
  }
  absl::StatusOr<proto::ExistResponse> Exist(const proto::KeysRequest& request,
                                             TimePoint deadline) override {
    return Call(HotCall::kExist, &proto::Master::Stub::Exist, request, deadline);
  }
  absl::StatusOr<proto::RemoveResponse> Remove(const proto::RemoveRequest& request,
                                               TimePoint deadline) override {
    return Call(HotCall::kRemove, &proto::Master::Stub::Remove, request, deadline);
  }
  absl::StatusOr<proto::RemoveManyResponse> RemoveByRegex(
      const proto::RemoveByRegexRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::RemoveByRegex, request, deadline);
  }
  absl::StatusOr<proto::RemoveManyResponse> RemoveAll(const proto::RemoveAllRequest& request,
                                                      TimePoint deadline) override {
    return Call(&proto::Master::Stub::RemoveAll, request, deadline);
  }
  absl::StatusOr<proto::ConfirmRemovalsResponse> ConfirmRemovals(
      const proto::ConfirmRemovalsRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::ConfirmRemovals, request, deadline);
  }
  absl::StatusOr<proto::ResultsResponse> ReportLostReplicas(
      const proto::ReportLostReplicasRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::ReportLostReplicas, request, deadline);
  }
  absl::StatusOr<proto::ListKeysResponse> ListKeys(const proto::ListKeysRequest& request,
                                                   TimePoint deadline) override {
    return Call(&proto::Master::Stub::ListKeys, request, deadline);
  }
  absl::StatusOr<proto::ListSegmentsResponse> ListSegments(
      const proto::ListSegmentsRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::ListSegments, request, deadline);
  }

 private:
  struct OneMaster {
    OneMaster(const HostPort& at, const Credentials& credentials)
        : address(at.ToString()),
          local([names = LocalSocketNames(at.host, at.port)](TimePoint) {
            return CallSocket(ConnectLocally(names));
          }),
          connector(at.host, credentials.tls, credentials.token),
          remote([this](TimePoint deadline) { return connector.Connect(deadline); }),
          channel(
              grpc::CreateCustomChannel(address, credentials.channel, MasterChannelArguments())),
          stub(proto::Master::NewStub(channel)) {}

    /// Where it takes hot calls from other hosts, as it said in this answer.
    void LearnPort(const grpc::ClientContext& context) {
      const auto& fields = context.GetServerInitialMetadata();
      const auto found = fields.find(kCallPortField);
      if (found != fields.end()) {
        connector.SetPort(std::string_view(found->second.data(), found->second.size()));
      }
    }

    /// Whether an answer that did not come over gRPC says that calls are to follow which do: its
    /// connection to an earlier life of the master may stand as if nothing had happened, and is
    /// made anew by asking there once more.
    template <typename Response>
    bool IsNews(const Response&) {
      return false;
    }
    bool IsNews(const proto::PingResponse& response) {
      MutexLock lock(mutex);
      return response.mount_again() || response.epoch() != epoch;
    }
    template <typename Response>
    void Note(const Response&) {}
    void Note(const proto::PingResponse& response) {
      MutexLock lock(mutex);
      epoch = response.epoch();
    }

    const std::string address;
    CallChannel local;  ///< Of this host.
    RemoteConnector connector;
    CallChannel remote;  ///< Of others.
    const std::shared_ptr<grpc::Channel> channel;
    const std::unique_ptr<proto::Master::Stub> stub;
    std::atomic<bool> answered = false;
    Mutex mutex;
    std::string epoch ABSL_GUARDED_BY(mutex);  ///< Of the last ping that gRPC carried.
  };

  /// The first call of all goes over gRPC, which finds out whether the two ends agree on TLS and
  /// the token, and so do pings while gRPC is not connected: they have it connect.
  static bool GoesBeside(OneMaster& master, HotCall call) {
    if (!master.answered.load(std::memory_order_relaxed)) return false;
    return call != HotCall::kPing || master.channel->GetState(true) == GRPC_CHANNEL_READY;
  }

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (proto::Master::Stub::*method)(grpc::ClientContext*,
                                                                            const Request&,
                                                                            Response*),
                                const Request& request, TimePoint deadline) {
    return Ask(std::nullopt, method, request, deadline);
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(HotCall call,
                                grpc::Status (proto::Master::Stub::*method)(grpc::ClientContext*,
                                                                            const Request&,
                                                                            Response*),
                                const Request& request, TimePoint deadline) {
    return Ask(call, method, request, deadline);
  }

  OneMaster* Add(const HostPort& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    masters_.push_back(std::make_unique<OneMaster>(address, credentials_));
    return masters_.back().get();
  }

  std::vector<OneMaster*> Masters() {
    std::vector<OneMaster*> masters;
    MutexLock lock(mutex_);
    for (const auto& master : masters_) masters.push_back(master.get());
    return masters;
  }

  /// How long one of several masters is waited for; for a share of the call's time at most.
  template <typename Request>
  static Duration Patience(const Request&) {
    return Duration::max();
  }
  static Duration Patience(const proto::PingRequest& request) {
    return std::max<Duration>(
        kPingPatience, std::chrono::milliseconds(request.wait_milliseconds()) + kBesideItsWait);
  }

  /// The master to ask after `last`, which may be the same where it is looked for.
  absl::StatusOr<OneMaster*> Next(const OneMaster* last, TimePoint deadline) {
    if (find_leader_ != nullptr) return Find(deadline);
    MutexLock lock(mutex_);
    const auto found = std::find_if(masters_.begin(), masters_.end(),
                                    [&](const auto& master) { return master.get() == last; });
    return std::next(found) == masters_.end() ? masters_.front().get() : std::next(found)->get();
  }

  absl::StatusOr<OneMaster*> Find(TimePoint deadline) {
    ASSIGN_OR_RETURN(const std::string address, find_leader_(deadline));
    const absl::StatusOr<HostPort> named = ParseMasterAddress(address);
    if (!named.ok()) {
      return absl::UnavailableError(
          absl::StrCat("the leader that was found, '", address, "', is not HOST:PORT"));
    }
    OneMaster* const leader = Known(*named);
    // One that failed before is connected to only while somebody waits for that.
    leader->channel->WaitForConnected(
        ToGprTime(std::min(deadline, Clock::Real().Now() + kDriveConnection)));
    return leader;
  }

  OneMaster* Known(const HostPort& address) {
    MutexLock lock(mutex_);
    const auto found = std::find_if(masters_.begin(), masters_.end(), [&](const auto& master) {
      return master->address == address.ToString();
    });
    return found == masters_.end() ? Add(address) : found->get();
  }

  /// Asks the leader, wherever it is.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(std::optional<HotCall> hot,
                               grpc::Status (proto::Master::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                               const Request& request, TimePoint deadline) {
    absl::StatusOr<Response> response;
    OneMaster* master = leader_.load(std::memory_order_acquire);
    const bool doubted = master == nullptr || doubted_.load(std::memory_order_relaxed);
    for (size_t tried = 0; tried < attempts_; ++tried) {
      // One that stands still gets no more than its share of the time.
      const TimePoint now = Clock::Real().Now();
      Duration share = (deadline - now) / static_cast<int>(attempts_ - tried);
      if (attempts_ > 1) share = std::min(share, Patience(request));
      if (tried > 0 || doubted) {
        const absl::StatusOr<OneMaster*> next = Next(master, now + share);
        if (!next.ok() && master == nullptr) return next.status();
        if (!next.ok() && tried > 0) return Both(response, next.status());
        // It may have done already what it was asked for.
        if (tried > 0 && *next == master) return response;
        // If nobody tells who leads, the last one may still.
        master = next.value_or(master);
      }
      response = AskOne(*master, hot, method, request, now + share);
      if (response.ok()) {
        leader_.store(master, std::memory_order_release);
        doubted_.store(false, std::memory_order_relaxed);
      }
      if (!absl::IsUnavailable(response.status()) && !absl::IsDeadlineExceeded(response.status())) {
        break;
      }
      // The next call looks for another one before it waits for this one again.
      if (find_leader_ != nullptr) doubted_.store(true, std::memory_order_relaxed);
    }
    return response;
  }

  template <typename Response>
  static absl::Status Both(const absl::StatusOr<Response>& failed, const absl::Status& lookup) {
    return absl::Status(failed.status().code(),
                        absl::StrCat(failed.status().message(), "; ", lookup.message()));
  }

  /// Over a socket of its own if the call may go there and there is one, else over gRPC.
  template <typename Request, typename Response>
  absl::StatusOr<Response> AskOne(OneMaster& master, std::optional<HotCall> hot,
                                  grpc::Status (proto::Master::Stub::*method)(grpc::ClientContext*,
                                                                              const Request&,
                                                                              Response*),
                                  const Request& request, TimePoint deadline) {
    Response response;
    if (hot.has_value() && GoesBeside(master, *hot)) {
      const std::string bytes = request.SerializeAsString();
      auto reply = master.local.Call(*hot, bytes, deadline);
      if (!reply.has_value()) reply = master.remote.Call(*hot, bytes, deadline);
      if (reply.has_value() && !reply->ok()) return reply->status();
      const bool parsed = reply.has_value() && response.ParseFromString(**reply);
      if (parsed && !master.IsNews(response)) return response;
      if (reply.has_value() && !parsed) {
        return absl::UnavailableError(
            absl::StrCat("master at ", master.address, ": sent nonsense"));
      }
    }
    grpc::ClientContext context;
    context.set_deadline(ToGprTime(deadline));
    if (!credentials_.token.empty()) {
      context.AddMetadata("authorization", credentials_.token.Authorization());
    }
    const grpc::Status status = (master.stub.get()->*method)(&context, request, &response);
    if (status.ok()) {
      master.answered.store(true, std::memory_order_relaxed);
      master.Note(response);
      master.LearnPort(context);
      return response;
    }
    return absl::Status(
        static_cast<absl::StatusCode>(status.error_code()),
        absl::StrCat("master at ", master.address, ": ", Explain(master, status, deadline)));
  }

  /// Of a handshake that failed gRPC says little.
  std::string Explain(const OneMaster& master, const grpc::Status& status,
                      TimePoint deadline) const {
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
        !master.answered.load(std::memory_order_relaxed)) {
      std::string failure =
          FindTlsFailure(master.address, credentials_.tls,
                         std::min(deadline, Clock::Real().Now() + std::chrono::seconds(1)));
      if (!failure.empty()) return failure;
    }
    return status.error_message();
  }

  const Credentials credentials_;
  const FindLeader find_leader_;  // null where the masters are known
  const size_t attempts_;         // of a call
  Mutex mutex_;
  std::vector<std::unique_ptr<OneMaster>> masters_ ABSL_GUARDED_BY(mutex_);
  std::atomic<OneMaster*> leader_ = nullptr;  // as of the last answer
  std::atomic<bool> doubted_ = false;         // whether it failed since
};

}  // namespace

absl::StatusOr<std::unique_ptr<MasterClient>> MasterClient::Connect(const std::string& address,
                                                                    const Security& security) {
  std::vector<HostPort> masters;
  for (const absl::string_view one : absl::StrSplit(address, ',')) {
    ASSIGN_OR_RETURN(masters.emplace_back(),
                     ParseMasterAddress(std::string(absl::StripAsciiWhitespace(one))));
  }
  ASSIGN_OR_RETURN(const Credentials credentials, MakeCredentials(security));
  return std::make_unique<GrpcMasterClient>(masters, credentials);
}

absl::StatusOr<std::unique_ptr<MasterClient>> MasterClient::Follow(FindLeader find,
                                                                   const Security& security) {
  ASSIGN_OR_RETURN(const Credentials credentials, MakeCredentials(security));
  return std::make_unique<GrpcMasterClient>(std::move(find), credentials);
}

}  // namespace tandem::store

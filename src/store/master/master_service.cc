#include "store/master/master_service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <system_error>

#include "base/host_port.h"
#include "base/scoped_fd.h"
#include "base/status.h"
#include "store/proto/call_server.h"
#include "store/proto/grpc_setup.h"
#include "store/proto/local_socket.h"
#include "store/proto/message_limits.h"
#include "store/proto/remote_socket.h"
#include "store/proto/store.grpc.pb.h"

namespace tandem::store {
namespace {

template <typename Codes>
bool AnyNegative(const Codes& codes) {
  return std::any_of(codes.begin(), codes.end(), [](int code) { return code < 0; });
}
template <typename Results>
bool AnyFailed(const Results& results) {
  return std::any_of(results.begin(), results.end(),
                     [](const auto& result) { return result.code() < 0; });
}
bool Failed(const proto::ResultsResponse& response) { return AnyNegative(response.codes()); }
bool Failed(const proto::RemoveResponse& response) { return AnyNegative(response.codes()); }
bool Failed(const proto::ConfirmRemovalsResponse&) { return false; }
bool Failed(const proto::ExistResponse& response) { return AnyNegative(response.exists()); }
bool Failed(const proto::PutStartResponse& response) { return AnyFailed(response.results()); }
bool Failed(const proto::GetReplicasResponse& response) { return AnyFailed(response.results()); }
bool Failed(const proto::PingResponse&) { return false; }
bool Failed(const proto::ListKeysResponse&) { return false; }
bool Failed(const proto::ListSegmentsResponse&) { return false; }
template <typename Response>
bool Failed(const Response& response) {
  return response.code() < 0;
}

class GrpcMaster final : public proto::Master::Service {
 public:
  GrpcMaster(std::shared_ptr<ServingMaster> serving, BearerToken token, MasterMetrics& metrics)
      : serving_(std::move(serving)), token_(std::move(token)), metrics_(metrics) {}

  grpc::Status MountSegment(grpc::ServerContext* context, const proto::MountSegmentRequest* request,
                            proto::MountSegmentResponse* response) override {
    return Answer(context, "mount_segment", &Master::MountSegment, request, response);
  }
  grpc::Status UnmountSegment(grpc::ServerContext* context,
                              const proto::UnmountSegmentRequest* request,
                              proto::UnmountSegmentResponse* response) override {
    return Answer(context, "unmount_segment", &Master::UnmountSegment, request, response);
  }
  grpc::Status Ping(grpc::ServerContext* context, const proto::PingRequest* request,
                    proto::PingResponse* response) override {
    return Answer(context, "ping", &Master::Ping, request, response);
  }
  grpc::Status RegisterObjects(grpc::ServerContext* context,
                               const proto::RegisterObjectsRequest* request,
                               proto::RegisterObjectsResponse* response) override {
    return Answer(context, "register_objects", &Master::RegisterObjects, request, response);
  }
  grpc::Status Offload(grpc::ServerContext* context, const proto::OffloadRequest* request,
                       proto::OffloadResponse* response) override {
    return Answer(context, "offload", &Master::Offload, request, response);
  }
  grpc::Status PutStart(grpc::ServerContext* context, const proto::PutStartRequest* request,
                        proto::PutStartResponse* response) override {
    // Who gave up, while this process stood still say, would not learn what it has been given.
    if (context->IsCancelled()) return {grpc::StatusCode::CANCELLED, "nobody waits for the answer"};
    return Answer(context, "put_start", &Master::PutStart, request, response);
  }
  grpc::Status PutEnd(grpc::ServerContext* context, const proto::PutEndRequest* request,
                      proto::ResultsResponse* response) override {
    return Answer(context, "put_end", &Master::PutEnd, request, response);
  }
  grpc::Status PutRevoke(grpc::ServerContext* context, const proto::PutRevokeRequest* request,
                         proto::ResultsResponse* response) override {
    return Answer(context, "put_revoke", &Master::PutRevoke, request, response);
  }
  grpc::Status GetReplicas(grpc::ServerContext* context, const proto::GetReplicasRequest* request,
                           proto::GetReplicasResponse* response) override {
    return Answer(context, "get_replica_list", &Master::GetReplicas, request, response);
  }
  grpc::Status Exist(grpc::ServerContext* context, const proto::KeysRequest* request,
                     proto::ExistResponse* response) override {
    return Answer(context, "exist_key", &Master::Exist, request, response);
  }
  grpc::Status Remove(grpc::ServerContext* context, const proto::RemoveRequest* request,
                      proto::RemoveResponse* response) override {
    return Answer(context, "remove", &Master::Remove, request, response);
  }
  grpc::Status RemoveByRegex(grpc::ServerContext* context,
                             const proto::RemoveByRegexRequest* request,
                             proto::RemoveManyResponse* response) override {
    return Answer(context, "remove_by_regex", &Master::RemoveByRegex, request, response);
  }
  grpc::Status RemoveAll(grpc::ServerContext* context, const proto::RemoveAllRequest* request,
                         proto::RemoveManyResponse* response) override {
    return Answer(context, "remove_all", &Master::RemoveAll, request, response);
  }
  grpc::Status ConfirmRemovals(grpc::ServerContext* context,
                               const proto::ConfirmRemovalsRequest* request,
                               proto::ConfirmRemovalsResponse* response) override {
    return Answer(context, "confirm_removals", &Master::ConfirmRemovals, request, response);
  }
  grpc::Status ReportLostReplicas(grpc::ServerContext* context,
                                  const proto::ReportLostReplicasRequest* request,
                                  proto::ResultsResponse* response) override {
    return Answer(context, "report_lost_replicas", &Master::ReportLostReplicas, request, response);
  }
  grpc::Status ListKeys(grpc::ServerContext* context, const proto::ListKeysRequest* request,
                        proto::ListKeysResponse* response) override {
    return Answer(context, "list_keys", &Master::ListKeys, request, response);
  }
  grpc::Status ListSegments(grpc::ServerContext* context, const proto::ListSegmentsRequest* request,
                            proto::ListSegmentsResponse* response) override {
    return Answer(context, "list_segments", &Master::ListSegments, request, response);
  }

  /// Has clients told where calls are taken that do not come over gRPC; before the first of them.
  void set_call_port(int port) { call_port_ = std::to_string(port); }

  /// A call that did not come over gRPC.
  absl::StatusOr<std::string> AnswerHot(HotCall call, const std::string& request) {
    switch (call) {
      case HotCall::kPutStart:
        return AnswerHot("put_start", &Master::PutStart, request);
      case HotCall::kPutEnd:
        return AnswerHot("put_end", &Master::PutEnd, request);
      case HotCall::kGetReplicas:
        return AnswerHot("get_replica_list", &Master::GetReplicas, request);
      case HotCall::kExist:
        return AnswerHot("exist_key", &Master::Exist, request);
      case HotCall::kRemove:
        return AnswerHot("remove", &Master::Remove, request);
      case HotCall::kPing:
        return AnswerHot("ping", &Master::Ping, request);
    }
    return absl::UnimplementedError("no such call");
  }

 private:
  template <typename Request, typename Response>
  absl::StatusOr<std::string> AnswerHot(const char* rpc, Response (Master::*method)(const Request&),
                                        const std::string& bytes) {
    Request request;
    if (!request.ParseFromString(bytes)) return absl::InvalidArgumentError("not a request");
    Response response;
    const grpc::Status status = Answer(rpc, method, &request, &response);
    if (!status.ok()) return absl::UnavailableError(status.error_message());
    return response.SerializeAsString();
  }

  /// A call that came over gRPC.
  template <typename Request, typename Response>
  grpc::Status Answer(grpc::ServerContext* context, const char* rpc,
                      Response (Master::*method)(const Request&), const Request* request,
                      Response* response) {
    const auto sent = context->client_metadata().find("authorization");
    const absl::Status allowed =
        token_.Check(sent == context->client_metadata().end()
                         ? std::string_view()
                         : std::string_view(sent->second.data(), sent->second.size()));
    if (allowed.ok()) {
      if (!call_port_.empty()) context->AddInitialMetadata(kCallPortField, call_port_);
      return Answer(rpc, method, request, response);
    }
    metrics_.CountCall(rpc, /*failed=*/true);
    spdlog::debug("refused {} of {}: {}", rpc, context->peer(), std::string(allowed.message()));
    return {grpc::StatusCode::UNAUTHENTICATED, std::string(allowed.message())};
  }

  template <typename Request, typename Response>
  grpc::Status Answer(const char* rpc, Response (Master::*method)(const Request&),
                      const Request* request, Response* response) {
    const std::shared_ptr<Master> master = serving_->Get();
    if (master != nullptr) *response = (master.get()->*method)(*request);
    // What it said is worth nothing if it stopped leading meanwhile.
    const bool served = master != nullptr && serving_->Get() == master;
    metrics_.CountCall(rpc, !served || Failed(*response));
    if (served) return grpc::Status::OK;
    return {grpc::StatusCode::UNAVAILABLE, "this master stands by: another one leads"};
  }

  const std::shared_ptr<ServingMaster> serving_;
  const BearerToken token_;
  MasterMetrics& metrics_;
  std::string call_port_;  // empty for none
};

/// How the service shows who it is, and tells who calls.
struct Credentials {
  std::shared_ptr<grpc::ServerCredentials> grpc = grpc::InsecureServerCredentials();
  TlsContext tls;  ///< The same for OpenSSL; null without TLS.
};

absl::StatusOr<Credentials> MakeCredentials(const Security& security) {
  Credentials credentials;
  if (!security.tls) return credentials;
  // Finds what is wrong with the files, of which gRPC says nothing.
  ASSIGN_OR_RETURN(credentials.tls, MakeTlsServerContext(security.files));
  ASSIGN_OR_RETURN(const TlsTexts texts, ReadTlsFiles(security.files));
  grpc::SslServerCredentialsOptions options(
      security.files.verify_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (security.files.verify_clients) options.pem_root_certs = texts.ca;
  options.pem_key_cert_pairs = {{texts.key, texts.certificate}};
  credentials.grpc = grpc::SslServerCredentials(options);
  return credentials;
}

/// Why nobody can listen there, as gRPC itself does not say.
std::string WhyNotListening(const std::string& address, int port) {
  const addrinfo hints{.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (rc != 0) return gai_strerror(rc);
  const ScopedFd probe(socket(found->ai_family, found->ai_socktype, found->ai_protocol));
  const int on = 1;
  setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool free = bind(probe.get(), found->ai_addr, found->ai_addrlen) == 0;
  std::string why = free ? "it could not be listened on" : std::generic_category().message(errno);
  freeaddrinfo(found);
  return why;
}

class RunningService : public MasterService {
 public:
  RunningService(std::shared_ptr<ServingMaster> serving, const BearerToken& token,
                 MasterMetrics& metrics)
      : serving_(serving), service_(std::move(serving), token, metrics) {}
  ~RunningService() override {
    // Shutting down waits for the calls under way.
    serving_->StopWaiting();
    local_server_.reset();
    remote_server_.reset();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  absl::Status Listen(const Options& options) {
    ASSIGN_OR_RETURN(const Credentials credentials, MakeCredentials(options.security));
    ListenForOthers(options.address, credentials.tls, options.security.token);
    SetUpGrpc();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(FormatHostPort(options.address, options.port), credentials.grpc,
                             &port_);
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetMaxSendMessageSize(kMaxMessageBytes);
    // Two masters on one port would share out the calls between them.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Clients ask for a sign of life every two seconds.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, options.threads);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return absl::UnavailableError(fmt::format("cannot listen on {}:{}: {}", options.address,
                                                options.port,
                                                WhyNotListening(options.address, options.port)));
    }
    ListenForThisHost(options.address);
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  /// Without it calls of this host come over gRPC as well.
  void ListenForThisHost(const std::string& address) {
    const std::vector<std::string> names = LocalSocketNames(address, port_);
    if (names.empty()) return;
    auto listener = ListenLocally(names.front());
    if (listener.ok()) {
      local_server_ = std::make_unique<CallServer>(
          *std::move(listener),
          [](const CallSocket& socket) { return IsOfThisUser(socket.descriptor()); }, HotCalls());
    } else {
      spdlog::warn("{}; processes of this host call over the network",
                   std::string(listener.status().message()));
    }
  }

  /// Without it all calls of other hosts come over gRPC.
  void ListenForOthers(const std::string& address, const TlsContext& tls,
                       const BearerToken& token) {
    auto listener = ListenRemotely(address);
    if (!listener.ok()) {
      spdlog::warn("{}; all calls of other hosts come over gRPC",
                   std::string(listener.status().message()));
      return;
    }
    service_.set_call_port(listener->port);
    remote_server_ = std::make_unique<CallServer>(
        std::move(listener->socket),
        [tls, token](CallSocket& socket) { return AdmitRemote(socket, tls, token); }, HotCalls());
  }

  CallServer::Handler HotCalls() {
    return [this](HotCall call, const std::string& request) {
      return service_.AnswerHot(call, request);
    };
  }

  const std::shared_ptr<ServingMaster> serving_;
  GrpcMaster service_;
  int port_ = 0;
  std::unique_ptr<CallServer> local_server_, remote_server_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MasterService>> MasterService::Start(
    const Options& options, std::shared_ptr<ServingMaster> serving, MasterMetrics& metrics) {
  auto service =
      std::make_unique<RunningService>(std::move(serving), options.security.token, metrics);
  if (absl::Status status = service->Listen(options); !status.ok()) return status;
  return service;
}

}  // namespace tandem::store

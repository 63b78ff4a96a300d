#include "store/master/master_service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/scoped_fd.h"
#include "store/proto/message_limits.h"
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
  GrpcMaster(Master& master, MasterMetrics& metrics) : master_(master), metrics_(metrics) {}

  grpc::Status MountSegment(grpc::ServerContext*, const proto::MountSegmentRequest* request,
                            proto::MountSegmentResponse* response) override {
    return Answer("mount_segment", &Master::MountSegment, request, response);
  }
  grpc::Status UnmountSegment(grpc::ServerContext*, const proto::UnmountSegmentRequest* request,
                              proto::UnmountSegmentResponse* response) override {
    return Answer("unmount_segment", &Master::UnmountSegment, request, response);
  }
  grpc::Status Ping(grpc::ServerContext*, const proto::PingRequest* request,
                    proto::PingResponse* response) override {
    return Answer("ping", &Master::Ping, request, response);
  }
  grpc::Status RegisterObjects(grpc::ServerContext*, const proto::RegisterObjectsRequest* request,
                               proto::RegisterObjectsResponse* response) override {
    return Answer("register_objects", &Master::RegisterObjects, request, response);
  }
  grpc::Status PutStart(grpc::ServerContext*, const proto::PutStartRequest* request,
                        proto::PutStartResponse* response) override {
    return Answer("put_start", &Master::PutStart, request, response);
  }
  grpc::Status PutEnd(grpc::ServerContext*, const proto::PutEndRequest* request,
                      proto::ResultsResponse* response) override {
    return Answer("put_end", &Master::PutEnd, request, response);
  }
  grpc::Status PutRevoke(grpc::ServerContext*, const proto::PutRevokeRequest* request,
                         proto::ResultsResponse* response) override {
    return Answer("put_revoke", &Master::PutRevoke, request, response);
  }
  grpc::Status GetReplicas(grpc::ServerContext*, const proto::GetReplicasRequest* request,
                           proto::GetReplicasResponse* response) override {
    return Answer("get_replica_list", &Master::GetReplicas, request, response);
  }
  grpc::Status Exist(grpc::ServerContext*, const proto::KeysRequest* request,
                     proto::ExistResponse* response) override {
    return Answer("exist_key", &Master::Exist, request, response);
  }
  grpc::Status Remove(grpc::ServerContext*, const proto::RemoveRequest* request,
                      proto::ResultsResponse* response) override {
    return Answer("remove", &Master::Remove, request, response);
  }
  grpc::Status RemoveByRegex(grpc::ServerContext*, const proto::RemoveByRegexRequest* request,
                             proto::RemoveManyResponse* response) override {
    return Answer("remove_by_regex", &Master::RemoveByRegex, request, response);
  }
  grpc::Status RemoveAll(grpc::ServerContext*, const proto::RemoveAllRequest* request,
                         proto::RemoveManyResponse* response) override {
    return Answer("remove_all", &Master::RemoveAll, request, response);
  }
  grpc::Status ReportLostReplicas(grpc::ServerContext*,
                                  const proto::ReportLostReplicasRequest* request,
                                  proto::ResultsResponse* response) override {
    return Answer("report_lost_replicas", &Master::ReportLostReplicas, request, response);
  }
  grpc::Status ListKeys(grpc::ServerContext*, const proto::ListKeysRequest* request,
                        proto::ListKeysResponse* response) override {
    return Answer("list_keys", &Master::ListKeys, request, response);
  }
  grpc::Status ListSegments(grpc::ServerContext*, const proto::ListSegmentsRequest* request,
                            proto::ListSegmentsResponse* response) override {
    return Answer("list_segments", &Master::ListSegments, request, response);
  }

 private:
  template <typename Request, typename Response>
  grpc::Status Answer(const char* rpc, Response (Master::*method)(const Request&),
                      const Request* request, Response* response) {
    *response = (master_.*method)(*request);
    metrics_.CountCall(rpc, Failed(*response));
    return grpc::Status::OK;
  }

  Master& master_;
  MasterMetrics& metrics_;
};

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
  const std::string why = free ? "it could not be listened on" : std::strerror(errno);
  freeaddrinfo(found);
  return why;
}

class RunningService : public MasterService {
 public:
  RunningService(Master& master, MasterMetrics& metrics) : service_(master, metrics) {}
  ~RunningService() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  absl::Status Listen(const Options& options) {
    grpc::ServerBuilder builder;
    const bool bare_ipv6 =
        options.address.find(':') != std::string::npos && !options.address.starts_with('[');
    builder.AddListeningPort(
        fmt::format("{}:{}", bare_ipv6 ? "[" + options.address + "]" : options.address,
                    options.port),
        grpc::InsecureServerCredentials(), &port_);
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
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  GrpcMaster service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MasterService>> MasterService::Start(const Options& options,
                                                                    Master& master,
                                                                    MasterMetrics& metrics) {
  auto service = std::make_unique<RunningService>(master, metrics);
  if (absl::Status status = service->Listen(options); !status.ok()) return status;
  return service;
}

}  // namespace tandem::store

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "store/proto/master_client.h"
#include "store/proto/message_limits.h"
#include "store/proto/store.grpc.pb.h"

namespace tandem::store {
namespace {

absl::Status CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("master address '", address, "' is not HOST:PORT with a port in 1..65535"));
  }
  return absl::OkStatus();
}

grpc::ChannelArguments MasterChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // A master that comes back is found within a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);  // The time a connect may take.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
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

class GrpcMasterClient : public MasterClient {
 public:
  explicit GrpcMasterClient(const std::string& address)
      : address_(address),
        stub_(proto::Master::NewStub(grpc::CreateCustomChannel(
            address, grpc::InsecureChannelCredentials(), MasterChannelArguments()))) {}

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
    return Call(&proto::Master::Stub::Ping, request, deadline);
  }
  absl::StatusOr<proto::RegisterObjectsResponse> RegisterObjects(
      const proto::RegisterObjectsRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::RegisterObjects, request, deadline);
  }
  absl::StatusOr<proto::PutStartResponse> PutStart(const proto::PutStartRequest& request,
                                                   TimePoint deadline) override {
    return Call(&proto::Master::Stub::PutStart, request, deadline);
  }
  absl::StatusOr<proto::ResultsResponse> PutEnd(const proto::PutEndRequest& request,
                                                TimePoint deadline) override {
    return Call(&proto::Master::Stub::PutEnd, request, deadline);
  }
  absl::StatusOr<proto::ResultsResponse> PutRevoke(const proto::PutRevokeRequest& request,
                                                   TimePoint deadline) override {
    return Call(&proto::Master::Stub::PutRevoke, request, deadline);
  }
  absl::StatusOr<proto::GetReplicasResponse> GetReplicas(const proto::GetReplicasRequest& request,
                                                         TimePoint deadline) override {
    return Call(&proto::Master::Stub::GetReplicas, request, deadline);
  }
  absl::StatusOr<proto::ExistResponse> Exist(const proto::KeysRequest& request,
                                             TimePoint deadline) override {
    return Call(&proto::Master::Stub::Exist, request, deadline);
  }
  absl::StatusOr<proto::ResultsResponse> Remove(const proto::RemoveRequest& request,
                                                TimePoint deadline) override {
    return Call(&proto::Master::Stub::Remove, request, deadline);
  }
  absl::StatusOr<proto::RemoveManyResponse> RemoveByRegex(
      const proto::RemoveByRegexRequest& request, TimePoint deadline) override {
    return Call(&proto::Master::Stub::RemoveByRegex, request, deadline);
  }
  absl::StatusOr<proto::RemoveManyResponse> RemoveAll(const proto::RemoveAllRequest& request,
                                                      TimePoint deadline) override {
    return Call(&proto::Master::Stub::RemoveAll, request, deadline);
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
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (proto::Master::Stub::*method)(grpc::ClientContext*,
                                                                            const Request&,
                                                                            Response*),
                                const Request& request, TimePoint deadline) {
    grpc::ClientContext context;
    context.set_deadline(ToGprTime(deadline));
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (!status.ok()) {
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                          absl::StrCat("master at ", address_, ": ", status.error_message()));
    }
    return response;
  }

  const std::string address_;
  const std::unique_ptr<proto::Master::Stub> stub_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MasterClient>> MasterClient::Connect(const std::string& address) {
  RETURN_IF_ERROR(CheckAddress(address));
  return std::make_unique<GrpcMasterClient>(address);
}

}  // namespace tandem::store

#include "store/client/metadata_registration.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "absl/strings/match.h"
#include "base/status.h"
#include "http/url.h"

namespace tandem::store {
namespace {

using boost::json::object;

constexpr char kExpected[] =
    "expected is the master's metadata endpoint, http://HOST:8080/metadata with the port of "
    "--http_metadata_server_port (and --enable_http_metadata_server=true), or \"P2PHANDSHAKE\"";

bool IsNowhere(const std::string& server) { return server.empty() || server == "P2PHANDSHAKE"; }

std::string RpcMeta(const MetadataEntry& entry) {
  return boost::json::serialize(
      object{{"ip_or_host_name", entry.hostname}, {"rpc_port", entry.data_port}});
}

std::string RamMeta(const MetadataEntry& entry) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  boost::json::array buffers;
  if (entry.length > 0) {
    buffers.push_back(object{{"name", "cpu:0"}, {"addr", entry.address}, {"length", entry.length}});
  }
  return boost::json::serialize(
      object{{"name", entry.segment},
             {"protocol", entry.protocol},
             {"tcp_data_port", entry.data_port},
             {"timestamp", std::chrono::duration_cast<std::chrono::seconds>(now).count()},
             {"buffers", std::move(buffers)}});
}

}  // namespace

absl::Status CheckMetadataServer(const std::string& server) {
  if (IsNowhere(server)) return absl::OkStatus();
  const absl::Status status = http::ParseUrl(server).status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(fmt::format("metadata_server \"{}\" cannot be used: {}; {}",
                                                server, std::string(status.message()), kExpected));
}

absl::StatusOr<std::unique_ptr<MetadataRegistration>> MetadataRegistration::Create(
    std::string server, MetadataEntry entry, Duration timeout, const Security& security) {
  TlsContext tls;
  if (security.tls && !IsNowhere(server) && !absl::StartsWith(server, "https://")) {
    return absl::InvalidArgumentError(
        fmt::format("metadata_server \"{}\" would be told the token without TLS; with tls_ca_file "
                    "expected is https://HOST:8080/metadata, or \"P2PHANDSHAKE\"",
                    server));
  }
  if (absl::StartsWith(server, "https://")) {
    ASSIGN_OR_RETURN(tls, MakeTlsClientContext(security.files));
  }
  std::unique_ptr<MetadataRegistration> registration(
      new MetadataRegistration(std::move(server), std::move(entry), timeout, security.token));
  if (!IsNowhere(registration->server_)) registration->client_ = http::Client::Create(1, tls);
  return registration;
}

MetadataRegistration::MetadataRegistration(std::string server, MetadataEntry entry,
                                           Duration timeout, BearerToken token)
    : server_(std::move(server)),
      entry_(std::move(entry)),
      timeout_(timeout),
      token_(std::move(token)) {}

absl::Status MetadataRegistration::Register() {
  RETURN_IF_ERROR(Send("PUT", "mooncake/rpc_meta/" + entry_.segment, RpcMeta(entry_)));
  return Send("PUT", "mooncake/ram/" + entry_.segment, RamMeta(entry_));
}

absl::Status MetadataRegistration::Deregister() {
  absl::Status status = Send("DELETE", "mooncake/ram/" + entry_.segment, "");
  status.Update(Send("DELETE", "mooncake/rpc_meta/" + entry_.segment, ""));
  return status;
}

absl::Status MetadataRegistration::Send(const std::string& method, const std::string& key,
                                        const std::string& body) {
  if (client_ == nullptr) return absl::OkStatus();
  http::ClientRequest request;
  request.method = method;
  request.url = fmt::format("{}?key={}", server_, http::EncodePercent(key));
  request.headers = {{"Content-Type", "application/json"}};
  if (!token_.empty()) request.headers.Set("Authorization", token_.Authorization());
  request.body = body;
  request.total_timeout = timeout_;
  const auto response = client_->Fetch(std::move(request));
  if (!response.ok()) {
    return absl::UnavailableError(fmt::format("metadata_server \"{}\" does not answer: {}; {}",
                                              server_, std::string(response.status().message()),
                                              kExpected));
  }
  if (response->status / 100 == 2) return absl::OkStatus();
  if (response->status == 401) {
    return absl::UnauthenticatedError(
        fmt::format("metadata_server \"{}\": {}; see token_file", server_, response->body));
  }
  return absl::FailedPreconditionError(
      fmt::format("metadata_server \"{}\" answered {} {} with {}; {}", server_, method, key,
                  response->status, kExpected));
}

}  // namespace tandem::store

#include "store/etcd/etcd_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "http/url.h"

namespace tandem::store {
namespace {

using boost::json::array;
using boost::json::object;

// One endpoint that stands still must not take all the time there is.
constexpr Duration kMostPerEndpoint = std::chrono::seconds(1);

std::string Encode(const std::string& bytes) { return absl::Base64Escape(bytes); }

}  // namespace

EtcdClient::EtcdClient(std::vector<std::string> endpoints)
    : endpoints_(std::move(endpoints)), http_(http::Client::Create(1)) {}

absl::StatusOr<std::string> EtcdClient::Post(const std::string& path, const std::string& body,
                                             TimePoint deadline) {
  absl::Status failure = absl::DeadlineExceededError("no time is left to ask etcd");
  const size_t first = current_.load(std::memory_order_relaxed);
  for (size_t tried = 0; tried < endpoints_.size(); ++tried) {
    const Duration left = deadline - Clock::Real().Now();
    if (left <= Duration::zero()) break;
    size_t place = (first + tried) % endpoints_.size();
    const std::string& endpoint = endpoints_[place];
    http::ClientRequest request{.method = "POST", .url = endpoint + path, .body = body};
    request.headers = {{"Content-Type", "application/json"}};
    request.total_timeout =
        std::min(left / static_cast<int>(endpoints_.size() - tried), kMostPerEndpoint);
    const auto response = http_->Fetch(std::move(request));
    if (response.ok() && response->status == 200) return response->body;
    failure = absl::UnavailableError(
        fmt::format("etcd at {}: {}", endpoint,
                    response.ok() ? fmt::format("{} {:.200}", response->status, response->body)
                                  : std::string(response.status().message())));
    // Other calls begin with the next, unless one of them has found that out already.
    current_.compare_exchange_strong(place, (place + 1) % endpoints_.size());
  }
  return failure;
}

absl::StatusOr<EtcdClient::Lease> EtcdClient::GrantLease(int64_t seconds, TimePoint deadline) {
  ASSIGN_OR_RETURN(
      const std::string reply,
      Post("/v3/lease/grant", boost::json::serialize(object{{"TTL", seconds}}), deadline));
  return ParseGrantedLease(reply);
}

absl::StatusOr<bool> EtcdClient::KeepAlive(const Lease& lease, TimePoint deadline) {
  ASSIGN_OR_RETURN(
      const std::string reply,
      Post("/v3/lease/keepalive", boost::json::serialize(object{{"ID", lease.id}}), deadline));
  return ParseKeptAlive(reply);
}

absl::Status EtcdClient::Revoke(const Lease& lease, TimePoint deadline) {
  return Post("/v3/lease/revoke", boost::json::serialize(object{{"ID", lease.id}}), deadline)
      .status();
}

absl::StatusOr<std::optional<std::string>> EtcdClient::Get(const std::string& key,
                                                           TimePoint deadline) {
  ASSIGN_OR_RETURN(
      const std::string reply,
      Post("/v3/kv/range", boost::json::serialize(object{{"key", Encode(key)}}), deadline));
  return ParseValue(key, reply);
}

absl::StatusOr<bool> EtcdClient::Create(const std::string& key, const std::string& value,
                                        const Lease& lease, TimePoint deadline) {
  const object absent{
      {"key", Encode(key)}, {"target", "CREATE"}, {"result", "EQUAL"}, {"create_revision", "0"}};
  const object put{{"key", Encode(key)}, {"value", Encode(value)}, {"lease", lease.id}};
  const object body{{"compare", array{absent}}, {"success", array{object{{"request_put", put}}}}};
  ASSIGN_OR_RETURN(const std::string reply,
                   Post("/v3/kv/txn", boost::json::serialize(body), deadline));
  return ParseSucceeded(reply);
}

absl::StatusOr<bool> EtcdClient::PutWhile(const std::string& guard, const std::string& expected,
                                          const std::string& key, const std::string& value,
                                          TimePoint deadline) {
  const object same{{"key", Encode(guard)},
                    {"target", "VALUE"},
                    {"result", "EQUAL"},
                    {"value", Encode(expected)}};
  const object put{{"key", Encode(key)}, {"value", Encode(value)}};
  const object body{{"compare", array{same}}, {"success", array{object{{"request_put", put}}}}};
  ASSIGN_OR_RETURN(const std::string reply,
                   Post("/v3/kv/txn", boost::json::serialize(body), deadline));
  return ParseSucceeded(reply);
}

absl::StatusOr<std::vector<std::string>> ParseEtcdEndpoints(const std::string& text) {
  std::vector<std::string> endpoints;
  const std::vector<std::string> parts =
      absl::StrSplit(text, absl::ByAnyChar(",;"), absl::SkipEmpty());
  for (const std::string& part : parts) {
    std::string endpoint(absl::StripSuffix(part, "/"));
    if (!absl::StrContains(endpoint, "://")) endpoint.insert(0, "http://");
    absl::Status status = http::ParseUrl(endpoint).status();
    if (absl::StartsWith(endpoint, "https://")) {
      status = absl::InvalidArgumentError("etcd is not spoken to over TLS");
    }
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("'{}': {}; expected is http://HOST:2379, several separated by commas", part,
                      std::string(status.message())));
    }
    endpoints.push_back(std::move(endpoint));
  }
  if (endpoints.empty()) {
    return absl::InvalidArgumentError(
        "no endpoint; expected is http://HOST:2379, several separated by commas");
  }
  return endpoints;
}

}  // namespace tandem::store

#include "store/master/metadata_http.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tandem::store {
namespace {

constexpr char kRpcMetaPrefix[] = "mooncake/rpc_meta/";

http::Response Text(int status, std::string body) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body)};
}

http::Response Json(std::string body) {
  return {200, {{"Content-Type", "application/json"}}, std::move(body)};
}

http::Response FromStatus(const absl::Status& status) {
  if (status.ok()) return Text(200, "ok\n");
  return Text(absl::IsNotFound(status) ? 404 : 400, absl::StrCat(status.message(), "\n"));
}

/// A handler that is given the request's key.
template <typename Answer>
http::Handler WithKey(Answer answer) {
  return [answer](http::Request request, std::shared_ptr<http::ResponseWriter> writer) {
    const std::optional<std::string> key = request.QueryValue("key");
    if (!key || key->empty()) {
      writer->Respond(Text(400, "the query parameter 'key' is missing: /metadata?key=KEY\n"));
    } else {
      writer->Respond(answer(*key, request));
    }
  };
}

}  // namespace

absl::StatusOr<std::string> MetadataStore::Get(const std::string& key) const {
  MutexLock lock(mutex_);
  const auto it = values_.find(key);
  if (it == values_.end()) return absl::NotFoundError(absl::StrCat("no metadata for key ", key));
  return it->second;
}

absl::Status MetadataStore::Put(const std::string& key, const std::string& value) {
  MutexLock lock(mutex_);
  const auto [it, added] = values_.try_emplace(key, value);
  if (!added && it->second != value && absl::StartsWith(key, kRpcMetaPrefix)) {
    return absl::InvalidArgumentError(
        absl::StrCat("key ", key, " is taken with another value; delete it first"));
  }
  it->second = value;
  return absl::OkStatus();
}

absl::Status MetadataStore::Delete(const std::string& key) {
  MutexLock lock(mutex_);
  if (values_.erase(key) > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no metadata for key ", key));
}

void AddMetadataRoutes(http::Router& router, MetadataStore& store) {
  router.Add("GET", "/metadata", WithKey([&store](const std::string& key, const http::Request&) {
               absl::StatusOr<std::string> value = store.Get(key);
               return value.ok() ? Json(*std::move(value)) : FromStatus(value.status());
             }));
  router.Add("PUT", "/metadata",
             WithKey([&store](const std::string& key, const http::Request& request) {
               return FromStatus(store.Put(key, request.body));
             }));
  router.Add("DELETE", "/metadata", WithKey([&store](const std::string& key, const http::Request&) {
               return FromStatus(store.Delete(key));
             }));
  router.Add("GET", "/health", [](http::Request, std::shared_ptr<http::ResponseWriter> writer) {
    writer->Respond(Text(200, "OK\n"));
  });
}

}  // namespace tandem::store

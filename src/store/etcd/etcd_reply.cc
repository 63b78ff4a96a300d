#include "store/etcd/etcd_reply.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "base/status.h"

namespace tandem::store {
namespace {

/// Longer ones are not counted with.
constexpr int64_t kMostSeconds = 1'000'000'000;

/// A member of a reply, which is empty or null where it has a default value.
const boost::json::value* Member(const boost::json::value& reply, const char* name) {
  const boost::json::object* members = reply.if_object();
  return members == nullptr ? nullptr : members->if_contains(name);
}

/// 64-bit numbers come as texts.
int64_t Number(const boost::json::value* value) {
  int64_t number = 0;
  if (value != nullptr && value->is_string()) {
    (void)absl::SimpleAtoi(value->get_string().c_str(), &number);
  } else if (value != nullptr && value->is_int64()) {
    number = value->get_int64();
  }
  return number;
}

absl::StatusOr<boost::json::value> Parse(const std::string& reply) {
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(reply, error);
  if (!error) return value;
  return absl::UnavailableError(fmt::format("etcd answered no JSON but '{:.100}'", reply));
}

}  // namespace

absl::StatusOr<EtcdLease> ParseGrantedLease(const std::string& reply) {
  ASSIGN_OR_RETURN(const boost::json::value value, Parse(reply));
  const int64_t id = Number(Member(value, "ID"));
  const int64_t ttl = Number(Member(value, "TTL"));
  if (id == 0 || ttl <= 0 || ttl > kMostSeconds) {
    return absl::UnavailableError(fmt::format("etcd granted no lease: '{:.200}'", reply));
  }
  return EtcdLease{std::to_string(id), std::chrono::seconds(ttl)};
}

absl::StatusOr<bool> ParseKeptAlive(const std::string& reply) {
  ASSIGN_OR_RETURN(const boost::json::value value, Parse(reply));
  const boost::json::value* result = Member(value, "result");
  return result != nullptr && Number(Member(*result, "TTL")) > 0;
}

absl::StatusOr<std::optional<std::string>> ParseValue(const std::string& key,
                                                      const std::string& reply) {
  ASSIGN_OR_RETURN(const boost::json::value value, Parse(reply));
  const boost::json::value* pairs = Member(value, "kvs");
  if (pairs == nullptr || !pairs->is_array() || pairs->get_array().empty()) return std::nullopt;
  const boost::json::value* encoded = Member(pairs->get_array()[0], "value");
  std::string bytes;
  if (encoded != nullptr && encoded->is_string() &&
      !absl::Base64Unescape(encoded->get_string().c_str(), &bytes)) {
    return absl::UnavailableError(fmt::format("etcd's value of {} is not base64", key));
  }
  return bytes;
}

absl::StatusOr<bool> ParseSucceeded(const std::string& reply) {
  ASSIGN_OR_RETURN(const boost::json::value value, Parse(reply));
  const boost::json::value* succeeded = Member(value, "succeeded");
  return succeeded != nullptr && succeeded->is_bool() && succeeded->get_bool();
}

}  // namespace tandem::store

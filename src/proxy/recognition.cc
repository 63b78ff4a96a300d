#include "proxy/recognition.h"

#include <fmt/format.h>

#include <boost/json/value.hpp>
#include <optional>
#include <string_view>

#include "proxy/prefill_decode_plan.h"

namespace tandem::proxy {
namespace {

using boost::json::object;
using boost::json::value;

std::optional<std::string> String(const std::optional<object>& json, std::string_view name) {
  const value* found = json ? json->if_contains(name) : nullptr;
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

bool IsModelList(const std::string& body) {
  const std::optional<object> json = ParseObject(body);
  const value* data = json ? json->if_contains("data") : nullptr;
  return data != nullptr && data->is_array();
}

bool WantsKey(int status) { return status == 401 || status == 403; }
bool MayPass(int status) {
  return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

}  // namespace

Recognition Recognize(const ProbeReply& version, const ProbeReply& models) {
  const std::optional<object> json = ParseObject(version.body);
  if (const auto cache_namespace = String(json, "kv_namespace")) {
    return {.make = InstanceMake::kTandem,
            .cache_namespace = *cache_namespace,
            .kv_role = String(json, "kv_role").value_or("")};
  }
  // It would answer for its own decoder, which may be itself.
  if (String(json, "role") == "proxy") {
    return {.make = InstanceMake::kUnfit, .found = "it is a proxy"};
  }
  if (MayPass(version.status) || MayPass(models.status)) return {};
  if (WantsKey(models.status) || (models.status == 200 && IsModelList(models.body))) {
    return {.make = InstanceMake::kForeign};
  }
  return {.make = InstanceMake::kUnfit,
          .found = models.status == 200 ? "GET /v1/models answers with no list of models"
                                        : fmt::format("GET /v1/models answers {}", models.status)};
}

bool LacksHealth(int status) { return status != 200 && !MayPass(status) && !WantsKey(status); }

}  // namespace tandem::proxy

#include "transfer/ucx_context.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ucs/config/global_opts.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "transfer/ucx_worker.h"

namespace tandem::transfer {
namespace {

constexpr char kUseTcp[] = "write protocol: \"tcp\" to use the ordinary network";

std::string NetDevices(const std::string& device_name) {
  std::vector<std::string> devices = absl::StrSplit(device_name, ',', absl::SkipEmpty());
  for (std::string& device : devices) {
    if (device.find(':') == std::string::npos) device += ":1";
  }
  return fmt::format("{}", fmt::join(devices, ","));
}

}  // namespace

std::vector<std::string> RdmaDevices(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status CheckRdmaDevices(const std::string& device_name,
                              const std::vector<std::string>& devices) {
  const std::string there = devices.empty()
                                ? "this machine has no RDMA device"
                                : fmt::format("this machine has {}", fmt::join(devices, ", "));
  if (devices.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "protocol is \"rdma\" with device_name \"{}\", but {}; {}", device_name, there, kUseTcp));
  }
  const std::vector<std::string> names = absl::StrSplit(device_name, ',', absl::SkipEmpty());
  for (const std::string& name : names) {
    if (std::find(devices.begin(), devices.end(), name.substr(0, name.find(':'))) ==
        devices.end()) {
      return absl::InvalidArgumentError(
          fmt::format("device_name \"{}\" is not an RDMA device: {}; name one of them, or {}", name,
                      there, kUseTcp));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<UcxContext> OpenUcx(const std::string& protocol, const std::string& device_name,
                                   const std::string& interface) {
  const bool rdma = protocol == "rdma";
  if (rdma) RETURN_IF_ERROR(CheckRdmaDevices(device_name, RdmaDevices()));
  // Peers that go away are ordinary here, and are reported by status. The variable still sets it.
  if (std::getenv("UCX_LOG_LEVEL") == nullptr) ucs_global_opts_set_value("LOG_LEVEL", "fatal");

  ucp_config_t* config = nullptr;
  RETURN_IF_ERROR(ToStatus(ucp_config_read(nullptr, nullptr, &config), "cannot configure UCX"));
  std::vector<std::pair<const char*, std::string>> settings = {{"TLS", rdma ? "rc,ud,dc" : "tcp"}};
  const std::string devices = rdma ? NetDevices(device_name) : interface;
  if (!devices.empty()) settings.emplace_back("NET_DEVICES", devices);
  if (!rdma) {
    // Only the interface that the connection was made over; striping is the transport's business.
    settings.emplace_back("MAX_EAGER_RAILS", "1");
    settings.emplace_back("MAX_RNDV_RAILS", "1");
  }
  ucs_status_t status = UCS_OK;
  for (const auto& [name, value] : settings) {
    if (status == UCS_OK) status = ucp_config_modify(config, name, value.c_str());
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  params.mt_workers_shared = 1;
  ucp_context_h context = nullptr;
  if (status == UCS_OK) status = ucp_init(&params, config, &context);
  ucp_config_release(config);
  if (status != UCS_OK) {
    return absl::InvalidArgumentError(
        fmt::format("protocol \"{}\" with device_name \"{}\" cannot be used: {}; {}", protocol,
                    device_name, ucs_status_string(status), kUseTcp));
  }
  return UcxContext(context);
}

}  // namespace tandem::transfer

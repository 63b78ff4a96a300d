#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/config_file.h"

// A file of flags is read, and what it set is within its limits, or refused with a message.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int port = 1;
  int64_t ttl_ms = 1;
  double ratio = 0.5;
  bool enabled = false;
  std::string name;
  tandem::cli::GflagsParser parser;
  parser.AddPort("rpc_port", &port, "");
  parser.AddMilliseconds("default_kv_lease_ttl", 1'000'000'000'000, &ttl_ms, "");
  parser.AddDouble("eviction_ratio", 0, 1, &ratio, "");
  parser.AddBool("enable_ha", &enabled, "");
  parser.AddString("cluster_id", &name, "");
  const absl::Status status = tandem::cli::SetFlagsFrom(
      std::string_view(reinterpret_cast<const char*>(data), size), parser);
  if (!status.ok() && status.message().empty()) std::abort();
  if (port < 0 || port > 65535) std::abort();
  if (ttl_ms < 0 || ttl_ms > 1'000'000'000'000) std::abort();
  if (!(ratio >= 0 && ratio <= 1)) std::abort();
  return 0;
}

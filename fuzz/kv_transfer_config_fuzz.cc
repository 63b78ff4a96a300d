#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cache/kv_transfer_config.h"

// The value of --kv-transfer-config is read or refused with a message; one that is read has a role.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto config = tandem::cache::KvTransferConfig::Parse(json);
  if (config.ok()) {
    if (config->role == tandem::cache::KvRole::kNone) std::abort();
  } else if (config.status().message().empty()) {
    std::abort();
  }
  return 0;
}

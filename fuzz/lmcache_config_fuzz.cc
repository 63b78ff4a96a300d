#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cache/lmcache_config.h"

// A configuration is read or refused with a message; one that is read is usable.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const auto config = tandem::cache::ParseLmcacheConfig(yaml, "fuzz.yaml");
  if (config.ok()) {
    if (config->chunk_size < 1) std::abort();
    if (config->has_store() && config->StoreOptions().master_address.empty()) std::abort();
  } else if (config.status().message().empty()) {
    std::abort();
  }
  return 0;
}

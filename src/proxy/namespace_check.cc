#include "proxy/namespace_check.h"

#include "base/log.h"

namespace tandem::proxy {

void NamespaceCheck::Compare(const InstanceStatus& prefiller, const InstanceStatus& decoder) {
  if (prefiller.cache_namespace.empty() || decoder.cache_namespace.empty() ||
      prefiller.cache_namespace == decoder.cache_namespace) {
    return;
  }
  mismatches_.Increment();
  {
    MutexLock lock(mutex_);
    const bool first = told_
                           .emplace(prefiller.address + " " + prefiller.cache_namespace,
                                    decoder.address + " " + decoder.cache_namespace)
                           .second;
    if (!first) return;
  }
  spdlog::error(
      "prefiller {} has KV cache namespace '{}' and decoder {} has '{}': the decoder will find "
      "nothing that the prefiller stores. Give both the same model, --kv-cache-dtype, chunk_size, "
      "save_chunk_meta, lmcache_compatible_keys and PYTHONHASHSEED",
      prefiller.address, prefiller.cache_namespace, decoder.address, decoder.cache_namespace);
}

}  // namespace tandem::proxy

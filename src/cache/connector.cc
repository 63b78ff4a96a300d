#include "cache/connector.h"

#include <fmt/format.h>

namespace tandem::cache {

std::string CacheNamespace::ToString() const {
  return fmt::format("model={} dtype={} hash_seed={} chunk_size={} fingerprint={}", model, dtype,
                     hash_seed, chunk_size, fingerprint);
}

}  // namespace tandem::cache

#include "cache/connector.h"

#include <fmt/format.h>

namespace tandem::cache {

std::string_view KvRoleName(KvRole role) {
  switch (role) {
    case KvRole::kProducer:
      return "kv_producer";
    case KvRole::kConsumer:
      return "kv_consumer";
    case KvRole::kBoth:
      return "kv_both";
    case KvRole::kNone:
      break;
  }
  return "";
}

std::string CacheNamespace::ToString() const {
  return fmt::format(
      "model={} dtype={} hash_seed={} chunk_size={} fingerprint={} save_chunk_meta={}", model,
      dtype, hash_seed, chunk_size, fingerprint, save_chunk_meta);
}

}  // namespace tandem::cache

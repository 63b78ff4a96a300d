#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/connector.h"

namespace tandem::cache {

/// LMCache's chain of chunk hashes with its algorithm sha256_cbor:
///   h0 = first 8 bytes of SHA-256(CBOR(seed))
///   hi = first 8 bytes of SHA-256(CBOR([h(i-1), [token ids of chunk i], []]))
/// read as big-endian numbers. A hash thus names a whole prefix.
class ChunkHasher {
 public:
  /// `seed` is PYTHONHASHSEED; empty stands for LMCache's own default, "vllm-none-hash".
  explicit ChunkHasher(std::string_view seed);

  uint64_t root() const { return root_; }
  static uint64_t Next(uint64_t previous, std::span<const int32_t> tokens);

 private:
  uint64_t root_;
};

/// LMCache's key string: model@world_size@worker_id@hash@dtype[@tag%value...]; an instance here is
/// one worker of a world of one.
class ChunkKeyFormat {
 public:
  using Tag = std::pair<std::string, std::string>;

  ChunkKeyFormat(std::string model, std::string dtype, std::vector<Tag> tags);

  /// The keys of a namespace's chunks for requests with `salt`. The fingerprint, if there is one,
  /// is the tag "kv"; a salt is the tag "cache_salt", as a digest: salts are the users' secrets,
  /// keys are not.
  static ChunkKeyFormat For(const CacheNamespace& cache_namespace, std::string_view salt);

  std::string Key(uint64_t hash) const;

 private:
  std::string prefix_;
  std::string suffix_;
};

}  // namespace tandem::cache

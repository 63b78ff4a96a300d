#include "cache/chunk_key.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "cache/cbor.h"

namespace tandem::cache {
namespace {

constexpr std::string_view kDefaultSeed = "vllm-none-hash";
constexpr size_t kSaltDigestBytes = 16;

uint64_t FirstEightBytes(std::string_view bytes) {
  const auto digest = Sha256(bytes);
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | digest[i];
  return number;
}

}  // namespace

ChunkHasher::ChunkHasher(std::string_view seed) {
  CborWriter cbor;
  cbor.Text(seed.empty() ? kDefaultSeed : seed);
  root_ = FirstEightBytes(cbor.bytes());
}

uint64_t ChunkHasher::Next(uint64_t previous, std::span<const int32_t> tokens) {
  CborWriter cbor;
  cbor.Array(3);
  cbor.Unsigned(previous);
  cbor.Array(tokens.size());
  for (int32_t token : tokens) cbor.Integer(token);
  cbor.Array(0);
  return FirstEightBytes(cbor.bytes());
}

ChunkKeyFormat::ChunkKeyFormat(std::string model, std::string dtype, std::vector<Tag> tags)
    : prefix_(fmt::format("{}@1@0@", model)), suffix_(fmt::format("@{}", dtype)) {
  for (const auto& [name, value] : tags) suffix_ += fmt::format("@{}%{}", name, value);
}

ChunkKeyFormat ChunkKeyFormat::For(const CacheNamespace& cache_namespace, std::string_view salt) {
  std::vector<Tag> tags;
  if (!cache_namespace.fingerprint.empty()) tags.emplace_back("kv", cache_namespace.fingerprint);
  if (!salt.empty()) {
    const auto digest = Sha256(salt);
    tags.emplace_back("cache_salt", ToHex(std::span(digest).first(kSaltDigestBytes)));
  }
  return ChunkKeyFormat(cache_namespace.model, cache_namespace.dtype, std::move(tags));
}

std::string ChunkKeyFormat::Key(uint64_t hash) const {
  return fmt::format("{}{:x}{}", prefix_, hash, suffix_);
}

}  // namespace tandem::cache

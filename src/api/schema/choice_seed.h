#pragma once

#include <cstdint>

namespace tandem::api {

/// The seed of no seed, to vLLM.
inline constexpr int64_t kNoSeed = -1;

/// The seed of choice `choice`, from 0, of a prompt: the request's, counted up by one a choice past
/// kNoSeed and around the ends of 64 bits. `seed` is not kNoSeed.
constexpr int64_t SeedOfChoice(int64_t seed, int choice) {
  const auto counted = static_cast<int64_t>(static_cast<uint64_t>(seed) + choice);
  return seed < kNoSeed && counted >= kNoSeed ? counted + 1 : counted;
}

}  // namespace tandem::api

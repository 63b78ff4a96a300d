#pragma once

#include <cstdint>

namespace tandem::engine {

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that looks random.
constexpr uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// A draw from [0, 1) that depends on `seed` and `position` alone, so never on the batch, on the
/// order of requests or on how often the position was computed.
constexpr double UniformDraw(uint64_t seed, uint64_t position) {
  const uint64_t bits = Mix64(Mix64(seed) + (position + 1) * 0x9e3779b97f4a7c15u);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace tandem::engine

#include "engine/softmax.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tandem::engine {
namespace {

// Independent partial results, so that the loops over them become vector instructions without
// leave to reorder a sum.
constexpr size_t kLanes = 8;

// exp(x) for x <= 0: 2^n * e^r with |r| <= ln(2)/2 and e^r as its Taylor polynomial of degree 6.
inline float Exponential(float x) {
  constexpr float kLeast = -87.0f;            // Below it the result is not a normal number.
  constexpr float kRound = 12582912.0f;       // 1.5 * 2^23: adding it rounds to an integer.
  constexpr float kLog2Upper = 0.693359375f;  // ln(2) in two parts, the upper one exact.
  constexpr float kLog2Lower = -2.12194440e-4f;
  const float bounded = std::max(x, kLeast);
  const float shifted = bounded * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (bounded - n * kLog2Upper) - n * kLog2Lower;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const int32_t exponent = static_cast<int32_t>(n) + 127;
  const float power = std::bit_cast<float>(exponent << 23);
  return x < kLeast ? 0.0f : p * power;
}

// Reverses the order of negative numbers.
inline int32_t SwapNegative(int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

// Integers in the order of the floats, whose maximum may be sought in any order, by vectors. What
// is no number stands beyond infinity, on the side of its sign.
inline int32_t OrderOf(float x) { return SwapNegative(std::bit_cast<int32_t>(x)); }

}  // namespace

float MaxLogit(std::span<const float> logits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  int32_t largest = OrderOf(-kInfinity), least = OrderOf(kInfinity);
  for (const float logit : logits) {
    largest = std::max(largest, OrderOf(logit));
    least = std::min(least, OrderOf(logit));
  }
  const bool all_numbers = largest <= OrderOf(kInfinity) && least >= OrderOf(-kInfinity);
  return all_numbers ? std::bit_cast<float>(SwapNegative(largest))
                     : std::numeric_limits<float>::quiet_NaN();
}

double SoftmaxWeights(std::span<const float> logits, float max, float scale,
                      std::span<float> weights) {
  constexpr size_t kPiece = 256;
  float piece[kPiece];
  double sum = 0;
  for (size_t begin = 0; begin < logits.size(); begin += kPiece) {
    const size_t size = std::min(kPiece, logits.size() - begin);
    float* const out = weights.empty() ? piece : weights.data() + begin;
    const float* const in = logits.data() + begin;
    for (size_t i = 0; i < size; ++i) out[i] = Exponential((in[i] - max) * scale);
    sum += SumWeights({out, size});
  }
  return sum;
}

double SumWeights(std::span<const float> weights) {
  double sums[kLanes] = {};
  const size_t whole = weights.size() - weights.size() % kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += weights[i + lane];
  }
  for (size_t i = whole; i < weights.size(); ++i) sums[0] += weights[i];
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

}  // namespace tandem::engine

#include "model/weights_fingerprint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "base/hash.h"

namespace tandem::model {
namespace {

constexpr size_t kSamples = 16;
constexpr size_t kSampleBytes = 256;

void AppendSamples(std::span<const std::byte> bytes, std::string* out) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() <= kSamples * kSampleBytes) {
    out->append(text);
    return;
  }
  for (size_t i = 0; i < kSamples; ++i) {
    const size_t start = (text.size() - kSampleBytes) / (kSamples - 1) * i;
    out->append(text.substr(start, kSampleBytes));
  }
}

}  // namespace

std::string WeightsFingerprint(const ModelConfig& config,
                               std::vector<std::pair<std::string_view, WeightView>> weights) {
  std::sort(weights.begin(), weights.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  const compute::RopeScaling& scaling = config.rope_scaling;
  std::string identity = fmt::format(
      "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}\n", config.architecture,
      config.hidden_size, config.layers, config.heads, config.kv_heads, config.head_dim,
      config.intermediate_size, config.vocab_size, config.rms_norm_epsilon, config.rope_theta,
      static_cast<int>(scaling.kind), scaling.factor, scaling.low_frequency_factor,
      scaling.high_frequency_factor, scaling.original_positions, fmt::join(scaling.divisors, ","),
      config.gptq ? config.gptq->zero_offset : -1);
  for (const auto& [name, view] : weights) {
    identity +=
        fmt::format("{} {} {} {}\n", name, static_cast<int>(view.type), view.rows, view.columns);
    AppendSamples(view.bytes, &identity);
  }
  return ToHex(Sha256(identity));
}

}  // namespace tandem::model

#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compute/data_type.h"
#include "model/decoder.h"
#include "model/weight_source.h"

namespace tandem::model::testing {

/// Where the two largest logits of a reference are closer than this, another order of sums may put
/// the second first.
inline constexpr double kNearTie = 0.05;

std::vector<int32_t> Ids(const boost::json::value& ids);

/// What a reference says of each position of one text.
struct TeacherForced {
  std::vector<int32_t> tokens, argmax;
  std::vector<double> gaps;  // Between the two largest logits.
};

/// How a decoder's logits compare with it. Only positions that are no near-tie are clear.
struct Agreement {
  double perplexity = 0;
  int clear = 0, agreeing = 0;
};

/// Feeds the text, `at_once` tokens at a time.
Agreement Compare(Decoder& decoder, const TeacherForced& golden, TokenPath path, size_t at_once);

/// Expects the perplexity within 0.5 %, and the argmax at 99.5 % of the clear positions.
void ExpectAgreement(const Agreement& agreement, double perplexity);

/// Root mean square of the error of KV bytes of type `dtype`, as a share of that of the reference,
/// in float16.
double RelativeKvError(std::span<const std::byte> computed, compute::DataType dtype,
                       const std::string& reference);

/// A checkpoint's weights, and what computes with them.
struct LoadedCheckpoint {
  std::unique_ptr<WeightSource> weights;
  std::unique_ptr<Decoder> decoder;
};

/// Loads a directory's model.gguf, else its safetensors with their config.json.
absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(const std::string& directory, int threads = 2,
                                                const DecoderOptions& options = {});

}  // namespace tandem::model::testing

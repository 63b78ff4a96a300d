#include "model/testing/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/value_to.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/status.h"
#include "compute/float_conversion.h"
#include "model/gguf_model.h"
#include "model/hf_config.h"
#include "model/safetensors_model.h"
#include "model/testing/files.h"
#include "model/testing/test_sequence.h"

namespace tandem::model::testing {
namespace {

double Value(const void* values, size_t index, compute::DataType dtype) {
  if (dtype == compute::DataType::kFloat32) {
    float number;
    std::memcpy(&number, static_cast<const char*>(values) + 4 * index, 4);
    return number;
  }
  uint16_t half;
  std::memcpy(&half, static_cast<const char*>(values) + 2 * index, 2);
  return dtype == compute::DataType::kFloat16 ? compute::Float16ToFloat(half)
                                              : compute::BFloat16ToFloat(half);
}

}  // namespace

std::vector<int32_t> Ids(const boost::json::value& ids) {
  return boost::json::value_to<std::vector<int32_t>>(ids);
}

Agreement Compare(Decoder& decoder, const TeacherForced& golden, TokenPath path, size_t at_once) {
  const std::vector<int32_t>& tokens = golden.tokens;
  TestPool pool(decoder.config(), static_cast<int>(tokens.size()));
  TestSequence sequence(pool, static_cast<int>(tokens.size()));
  Agreement agreement;
  double negative_log = 0;
  for (size_t first = 0; first < tokens.size(); first += at_once) {
    const size_t count = std::min(at_once, tokens.size() - first);
    const Logits logits = sequence.Run(decoder, {&tokens[first], count}, path, LogitRows::kAll);
    for (size_t i = 0; i < count; ++i) {
      const size_t position = first + i;
      const auto row = logits.Row(static_cast<int>(i));
      if (position + 1 < tokens.size()) negative_log -= LogProbability(row, tokens[position + 1]);
      if (golden.gaps[position] < kNearTie) continue;
      ++agreement.clear;
      agreement.agreeing += ArgMax(row) == golden.argmax[position];
    }
  }
  agreement.perplexity = std::exp(negative_log / static_cast<double>(tokens.size() - 1));
  return agreement;
}

void ExpectAgreement(const Agreement& agreement, double perplexity) {
  std::printf("perplexity %.4f (reference %.4f), argmax %d of %d\n", agreement.perplexity,
              perplexity, agreement.agreeing, agreement.clear);
  EXPECT_NEAR(agreement.perplexity, perplexity, 0.005 * perplexity);
  EXPECT_GT(agreement.clear, 1000);
  EXPECT_GE(agreement.agreeing, 0.995 * agreement.clear);
}

double RelativeKvError(std::span<const std::byte> computed, compute::DataType dtype,
                       const std::string& reference) {
  const size_t values = reference.size() / 2;
  if (computed.size() != values * SizeOf(dtype)) return INFINITY;
  double squares = 0, error_squares = 0;
  for (size_t i = 0; i < values; ++i) {
    const double expected = Value(reference.data(), i, compute::DataType::kFloat16);
    const double error = Value(computed.data(), i, dtype) - expected;
    squares += expected * expected;
    error_squares += error * error;
  }
  return std::sqrt(error_squares / squares);
}

namespace {

absl::StatusOr<ModelConfig> OpenWeights(const std::string& directory,
                                        std::unique_ptr<WeightSource>* weights) {
  const std::string gguf = directory + "/model.gguf";
  if (std::filesystem::exists(gguf)) {
    ASSIGN_OR_RETURN(auto model, GgufModel::Open(gguf));
    const ModelConfig config = model->config();
    *weights = std::move(model);
    return config;
  }
  const auto text = ReadFile(directory + "/config.json");
  if (!text) return absl::NotFoundError(directory + "/config.json");
  ASSIGN_OR_RETURN(const auto config, ParseHfConfig(*text));
  ASSIGN_OR_RETURN(*weights, SafetensorsModel::Open(directory, config.model));
  return config.model;
}

}  // namespace

absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(const std::string& directory, int threads,
                                                const DecoderOptions& options) {
  LoadedCheckpoint loaded;
  ASSIGN_OR_RETURN(const ModelConfig config, OpenWeights(directory, &loaded.weights));
  ASSIGN_OR_RETURN(loaded.decoder, Decoder::Load(config, *loaded.weights, threads, options));
  return loaded;
}

}  // namespace tandem::model::testing

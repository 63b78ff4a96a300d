#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compute/weight_matrix.h"
#include "model/testing/files.h"

namespace tandem::model {
namespace {

using compute::WeightFormat;

std::vector<std::byte> FromHex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

/// Against the PyPI package gguf: tests/data/make_dequantization_vectors.py.
class DequantizationVectors
    : public ::testing::TestWithParam<std::pair<const char*, WeightFormat>> {};

TEST_P(DequantizationVectors, GiveTheSameNumbers) {
  const auto [name, format] = GetParam();
  const auto text =
      testing::ReadFile(std::string(TANDEM_SOURCE_DIR) + "/tests/data/dequantization_vectors.json");
  ASSERT_TRUE(text.has_value());
  const boost::json::value vectors = boost::json::parse(*text).at(name);
  const std::vector<std::byte> bytes =
      FromHex(boost::json::value_to<std::string>(vectors.at("bytes")));
  const auto expected = boost::json::value_to<std::vector<double>>(vectors.at("values"));
  const compute::WeightMatrix row{format, 1, static_cast<int64_t>(expected.size()), bytes.data()};
  ASSERT_EQ(row.row_bytes(), bytes.size());
  std::vector<float> values(expected.size());
  DequantizeOutput(row, 0, values.data());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(values[i], expected[i], 1e-5 * (1 + std::abs(expected[i]))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, DequantizationVectors,
                         ::testing::Values(std::pair("Q4_0", WeightFormat::kQ4_0),
                                           std::pair("Q4_1", WeightFormat::kQ4_1),
                                           std::pair("Q8_0", WeightFormat::kQ8_0),
                                           std::pair("Q4_K", WeightFormat::kQ4_K),
                                           std::pair("Q5_K", WeightFormat::kQ5_K),
                                           std::pair("Q6_K", WeightFormat::kQ6_K)),
                         [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace tandem::model

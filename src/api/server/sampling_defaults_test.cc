#include "api/server/sampling_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::api {
namespace {

using ::testing::HasSubstr;

TEST(SamplingDefaultsTest, TheRequestGoesBeforeTheCheckpointBeforeVllm) {
  SamplingRequest request;
  request.temperature = 0.25f;
  model::GenerationDefaults defaults;
  defaults.temperature = 0.5f;
  defaults.top_k = 20;
  const auto params = ResolveSampling(request, defaults, 100);
  ASSERT_TRUE(params.ok());
  EXPECT_FLOAT_EQ(params->temperature, 0.25f);
  EXPECT_EQ(params->top_k, 20);
  EXPECT_FLOAT_EQ(params->top_p, 1.0f);
  EXPECT_FALSE(params->seed);
}

TEST(SamplingDefaultsTest, RefusesTokensOutsideTheVocabulary) {
  SamplingRequest biased;
  biased.logit_bias = {{100, 1.0f}};
  EXPECT_EQ(ResolveSampling(biased, {}, 100).status().message(),
            "logit_bias names token id 100; ids from 0 to 99 are accepted");
  SamplingRequest stopping;
  stopping.stop_token_ids = {7, 200};
  EXPECT_THAT(std::string(ResolveSampling(stopping, {}, 100).status().message()),
              HasSubstr("stop_token_ids names token id 200"));
}

}  // namespace
}  // namespace tandem::api

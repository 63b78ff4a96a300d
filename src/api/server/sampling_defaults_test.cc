#include "api/server/sampling_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/server/testing/letter_tokenizer.h"

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<engine::SamplingParams> Resolve(const SamplingRequest& request,
                                               const model::GenerationDefaults& defaults = {}) {
  // The model has logits that the tokenizer, of 257 tokens, knows nothing of.
  return ResolveSampling(request, defaults, LetterTokenizer(), 260);
}

TEST(SamplingDefaultsTest, TheRequestGoesBeforeTheCheckpointBeforeVllm) {
  SamplingRequest request;
  request.temperature = 0.25f;
  model::GenerationDefaults defaults;
  defaults.temperature = 0.5f;
  defaults.top_k = 20;
  const auto params = Resolve(request, defaults);
  ASSERT_TRUE(params.ok());
  EXPECT_FLOAT_EQ(params->temperature, 0.25f);
  EXPECT_EQ(params->top_k, 20);
  EXPECT_FLOAT_EQ(params->top_p, 1.0f);
  EXPECT_FALSE(params->seed);
}

TEST(SamplingDefaultsTest, PassesOnWhatNoCheckpointSets) {
  SamplingRequest request;
  request.bad_words = {"no"};
  request.allowed_token_ids = {'a', 'b'};
  request.stop_token_ids = {7};
  request.stop = {"x"};
  request.min_tokens = 3;
  request.ignore_eos = true;
  request.include_stop_str_in_output = true;
  request.skip_special_tokens = false;
  request.seed = 9;
  const auto params = Resolve(request);
  ASSERT_TRUE(params.ok());
  EXPECT_THAT(params->bad_words, ElementsAre(ElementsAre('n', 'o')));
  EXPECT_THAT(params->allowed_token_ids, ElementsAre('a', 'b'));
  EXPECT_THAT(params->stop_token_ids, ElementsAre(7));
  EXPECT_THAT(params->stop, ElementsAre("x"));
  EXPECT_EQ(params->min_tokens, 3);
  EXPECT_TRUE(params->ignore_eos);
  EXPECT_TRUE(params->include_stop_str_in_output);
  EXPECT_FALSE(params->skip_special_tokens);
  EXPECT_EQ(params->seed, 9u);
}

TEST(SamplingDefaultsTest, RefusesTokensOutsideTheVocabulary) {
  SamplingRequest biased;
  biased.logit_bias = {{259, 1.0f}};
  EXPECT_TRUE(Resolve(biased).ok());
  biased.logit_bias = {{260, 1.0f}};
  EXPECT_EQ(Resolve(biased).status().message(),
            "logit_bias names token id 260; ids from 0 to 259 are accepted");
  SamplingRequest stopping;
  stopping.stop_token_ids = {7, 300};
  EXPECT_THAT(std::string(Resolve(stopping).status().message()),
              HasSubstr("stop_token_ids names token id 300"));
  SamplingRequest restricted;
  restricted.allowed_token_ids = {7, 400};
  EXPECT_THAT(std::string(Resolve(restricted).status().message()),
              HasSubstr("allowed_token_ids names token id 400"));
}

}  // namespace
}  // namespace tandem::api

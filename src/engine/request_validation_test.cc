#include "engine/request_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tandem::engine {
namespace {

using ::testing::HasSubstr;

EngineRequest Valid() {
  return {.id = "r", .prompt = {1, 2, 3}, .sampling = {.max_tokens = 7, .min_tokens = 2}};
}

std::string Refusal(const EngineRequest& request) {
  const absl::Status status = ValidateRequest(request, 10, 64);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

std::string SamplingRefusal(const std::function<void(SamplingParams&)>& change) {
  EngineRequest request = Valid();
  change(request.sampling);
  return Refusal(request);
}

TEST(RequestValidationTest, AcceptsWhatFits) { EXPECT_TRUE(ValidateRequest(Valid(), 10, 64).ok()); }

TEST(RequestValidationTest, RefusesWhatDoesNotFitTheContext) {
  EngineRequest request = Valid();
  request.sampling.max_tokens = 8;
  EXPECT_THAT(Refusal(request), HasSubstr("maximum context length is 10 tokens. However, you "
                                          "requested 11 tokens (3 in the messages, 8 in"));
  request.prompt.assign(10, 1);
  EXPECT_THAT(Refusal(request), HasSubstr("your request has 10 input tokens"));
  request.prompt.clear();
  EXPECT_THAT(Refusal(request), HasSubstr("prompt"));
}

TEST(RequestValidationTest, RefusesTokensOutsideTheVocabulary) {
  EngineRequest request = Valid();
  request.prompt[1] = 64;
  EXPECT_THAT(Refusal(request), HasSubstr("prompt: token id 64 is out of vocabulary"));
  request = Valid();
  request.prompt[1] = -1;
  EXPECT_THAT(Refusal(request), HasSubstr("token id -1"));
  request = Valid();
  request.given = {{.token = 99}};
  EXPECT_THAT(Refusal(request), HasSubstr("given: token id 99"));
  request = Valid();
  request.sampling.logit_bias = {{64, 1.0f}};
  EXPECT_THAT(Refusal(request), HasSubstr("logit_bias: token id 64"));
  request = Valid();
  request.sampling.allowed_token_ids = {1, 64};
  EXPECT_THAT(Refusal(request), HasSubstr("allowed_token_ids: token id 64"));
  request = Valid();
  request.sampling.stop_token_ids = {-3};
  EXPECT_THAT(Refusal(request), HasSubstr("stop_token_ids: token id -3"));
  request = Valid();
  request.sampling.bad_words = {{1}, {2, 70}};
  EXPECT_THAT(Refusal(request), HasSubstr("bad_words: token id 70"));
  request = Valid();
  request.given_already_sent = 1;
  EXPECT_THAT(Refusal(request), HasSubstr("given_already_sent must be in [0, 0], got 1"));
}

TEST(RequestValidationTest, RefusesSamplingOutOfRange) {
  using P = SamplingParams;
  EXPECT_THAT(SamplingRefusal([](P& p) { p.temperature = -1; }), HasSubstr("temperature"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.temperature = std::nanf(""); }),
              HasSubstr("temperature"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.temperature = 2.5f; }),
              HasSubstr("temperature must be in [0, 2], got 2.5"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.top_p = 0; }), HasSubstr("top_p must be in (0, 1]"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.top_k = -2; }), HasSubstr("got -2"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.min_p = 1.5f; }), HasSubstr("min_p"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.repetition_penalty = 0; }),
              HasSubstr("repetition_penalty"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.presence_penalty = 3; }), HasSubstr("presence_penalty"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.frequency_penalty = -3; }),
              HasSubstr("frequency_penalty"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.max_tokens = 0; }), HasSubstr("max_tokens"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.min_tokens = -1; }), HasSubstr("min_tokens"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.min_tokens = 8; }), HasSubstr("max_tokens=7, got 8"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.logprobs = -1; }), HasSubstr("logprobs"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.prompt_logprobs = -1; }), HasSubstr("prompt_logprobs"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.stop = {""}; }), HasSubstr("stop"));
  EXPECT_THAT(SamplingRefusal([](P& p) { p.bad_words = {{}}; }), HasSubstr("bad_words"));
}

}  // namespace
}  // namespace tandem::engine

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/decoder.h"
#include "model/gguf_model.h"
#include "model/testing/test_sequence.h"
#include "model/testing/tiny_model.h"

namespace tandem::model {
namespace {

using testing::TestPool;
using testing::TestSequence;
using testing::TinyModelOptions;

/// A prompt and the tokens that follow it.
struct Text {
  std::vector<int32_t> tokens;
  int prompt = 0;
};

/// All that is computed of a text: each token's logits and the KV cache.
struct Computed {
  std::vector<std::vector<float>> logits;
  std::vector<std::byte> kv;
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class DecoderInvariance : public ::testing::TestWithParam<WeightType> {
 protected:
  void SetUp() override {
    bytes_ = testing::TinyModelBytes(Options());
    auto model = GgufModel::FromBytes(std::as_bytes(std::span(bytes_)));
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    for (int threads = 1; threads <= 3; ++threads) {
      auto decoder = Decoder::Load(model_->config(), *model_, threads);
      ASSERT_TRUE(decoder.ok()) << decoder.status();
      decoders_.push_back(*std::move(decoder));
    }
  }

  TinyModelOptions Options() const {
    TinyModelOptions options;
    options.hidden_size = 96;
    options.heads = 6;
    options.kv_heads = 2;
    options.intermediate_size = 160;
    options.weight_type = GetParam();
    return options;
  }

  Text RandomText(int longest_prompt) {
    Text text;
    text.prompt = Draw(1, longest_prompt);
    text.tokens.resize(text.prompt + Draw(0, 12));
    for (int32_t& token : text.tokens) token = Draw(0, model_->config().vocab_size - 1);
    return text;
  }

  /// The text alone on one thread: the prompt at once, then token by token.
  Computed Reference(const Text& text) {
    const auto length = static_cast<int>(text.tokens.size());
    TestPool pool(model_->config(), length);
    TestSequence sequence(pool, length);
    Computed computed;
    Collect(sequence.Run(*decoders_[0], {text.tokens.data(), size_t(text.prompt)},
                         TokenPath::kPrefill, LogitRows::kAll),
            &computed);
    for (int i = text.prompt; i < length; ++i) {
      Collect(
          sequence.Run(*decoders_[0], {&text.tokens[i], 1}, TokenPath::kDecode, LogitRows::kAll),
          &computed);
    }
    computed.kv = sequence.KvBytes(length);
    return computed;
  }

  static void Collect(const Logits& logits, Computed* computed) {
    for (int row = 0; row < logits.rows; ++row) {
      const auto values = logits.Row(row);
      computed->logits.emplace_back(values.begin(), values.end());
    }
  }

  /// Computes the texts together, in steps of random tokens of random texts.
  std::vector<Computed> RunSchedule(const std::vector<Text>& texts) {
    int all_tokens = 0;
    for (const Text& text : texts) all_tokens += static_cast<int>(text.tokens.size());
    TestPool pool(model_->config(), all_tokens, random_());
    std::vector<TestSequence> sequences;
    for (const Text& text : texts) {
      sequences.emplace_back(pool, static_cast<int>(text.tokens.size()));
    }
    std::vector<Computed> results(texts.size());
    for (;;) {
      std::vector<size_t> left;
      for (size_t i = 0; i < texts.size(); ++i) {
        if (sequences[i].length() < static_cast<int>(texts[i].tokens.size())) left.push_back(i);
      }
      if (left.empty()) break;
      std::shuffle(left.begin(), left.end(), random_);
      left.resize(Draw(1, static_cast<int>(left.size())));
      Step(texts, left, pool, &sequences, &results);
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      results[i].kv = sequences[i].KvBytes(sequences[i].length());
    }
    return results;
  }

  void Step(const std::vector<Text>& texts, const std::vector<size_t>& chosen, TestPool& pool,
            std::vector<TestSequence>* sequences, std::vector<Computed>* results) {
    std::vector<BatchSegment> batch;
    for (const size_t i : chosen) {
      const Text& text = texts[i];
      const int done = (*sequences)[i].length();
      const bool is_prompt = done < text.prompt;
      const int end = is_prompt ? text.prompt : static_cast<int>(text.tokens.size());
      // Several generated tokens at once are what a preempted request replays.
      const int count = Draw(1, std::min(end - done, is_prompt ? 150 : 5));
      batch.push_back((*sequences)[i].Next({&text.tokens[done], size_t(count)},
                                           is_prompt ? TokenPath::kPrefill : TokenPath::kDecode,
                                           LogitRows::kAll));
    }
    Decoder& decoder = *decoders_[Draw(0, static_cast<int>(decoders_.size()) - 1)];
    const Logits logits = decoder.Forward(batch, pool.kv());
    int row = 0;
    for (size_t j = 0; j < chosen.size(); ++j) {
      for (size_t token = 0; token < batch[j].tokens.size(); ++token, ++row) {
        const auto values = logits.Row(row);
        (*results)[chosen[j]].logits.emplace_back(values.begin(), values.end());
      }
    }
    ASSERT_EQ(row, logits.rows);
  }

  int Draw(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }

  std::mt19937 random_{20240611};
  std::string bytes_;
  std::unique_ptr<GgufModel> model_;
  std::vector<std::unique_ptr<Decoder>> decoders_;  // Of 1, 2 and 3 threads.
};

TEST_P(DecoderInvariance, RandomSchedulesGiveTheSameBits) {
  for (int round = 0; round < 12; ++round) {
    std::vector<Text> texts;
    for (int i = Draw(2, 7); i > 0; --i) texts.push_back(RandomText(round % 4 == 0 ? 700 : 90));
    const std::vector<Computed> together = RunSchedule(texts);
    for (size_t i = 0; i < texts.size(); ++i) {
      const Computed alone = Reference(texts[i]);
      ASSERT_EQ(together[i].logits.size(), alone.logits.size());
      for (size_t token = 0; token < alone.logits.size(); ++token) {
        ASSERT_TRUE(SameBits(together[i].logits[token], alone.logits[token]))
            << "round " << round << ", text " << i << " with a prompt of " << texts[i].prompt
            << ", token " << token;
      }
      ASSERT_TRUE(together[i].kv == alone.kv) << "round " << round << ", text " << i;
    }
  }
}

TEST_P(DecoderInvariance, OtherTokensGiveOtherBits) {
  Text text = RandomText(50);
  const Computed one = Reference(text);
  text.tokens[0] = (text.tokens[0] + 1) % model_->config().vocab_size;
  const Computed other = Reference(text);
  EXPECT_FALSE(SameBits(one.logits.back(), other.logits.back()));
  EXPECT_FALSE(one.kv == other.kv);
}

TEST_P(DecoderInvariance, LastRowIsTheLastOfAll) {
  const Text text = RandomText(80);
  const Computed all = Reference(text);
  TestPool pool(model_->config(), 128);
  TestSequence sequence(pool, 128);
  const Logits last = sequence.Run(*decoders_[1], {text.tokens.data(), size_t(text.prompt)},
                                   TokenPath::kPrefill, LogitRows::kLast);
  ASSERT_EQ(last.rows, 1);
  EXPECT_TRUE(SameBits({last.Row(0).begin(), last.Row(0).end()}, all.logits[text.prompt - 1]));
}

std::string NameOf(const ::testing::TestParamInfo<WeightType>& info) {
  switch (info.param) {
    case WeightType::kF32:
      return "F32";
    case WeightType::kF16:
      return "F16";
    case WeightType::kBF16:
      return "BF16";
    case WeightType::kQ4_0:
      return "Q4_0";
    case WeightType::kQ4_1:
      return "Q4_1";
    case WeightType::kQ8_0:
      return "Q8_0";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Formats, DecoderInvariance,
                         ::testing::Values(WeightType::kF32, WeightType::kF16, WeightType::kQ4_0,
                                           WeightType::kQ4_1, WeightType::kQ8_0),
                         NameOf);

}  // namespace
}  // namespace tandem::model

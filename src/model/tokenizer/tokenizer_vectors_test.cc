#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/gguf_model.h"
#include "model/testing/files.h"
#include "model/tokenizer.h"
#include "model/tokenizer/gguf_tokenizer.h"

namespace tandem::model {
namespace {

const std::string kFixtures = std::string(TANDEM_SOURCE_DIR) + "/../shared/fixtures";

std::vector<int32_t> Ids(const boost::json::value& ids) {
  return boost::json::value_to<std::vector<int32_t>>(ids);
}

/// Encodes every text of the fixture's list and decodes its ids again.
void ExpectVectors(const Tokenizer& tokenizer, const boost::json::array& vectors,
                   bool round_trips) {
  EXPECT_GT(vectors.size(), 100u);
  for (const boost::json::value& vector : vectors) {
    const auto text = boost::json::value_to<std::string>(vector.at("text"));
    const std::vector<int32_t> ids = Ids(vector.at("ids"));
    EXPECT_EQ(tokenizer.Encode(text, false), ids) << text;
    if (round_trips) {
      EXPECT_EQ(tokenizer.Decode(ids, false), text);
    }
    IncrementalDetokenizer detokenizer(tokenizer, false);
    std::string streamed;
    for (const int32_t id : ids) streamed += detokenizer.Append(id);
    streamed += detokenizer.Flush();
    EXPECT_EQ(streamed, tokenizer.Decode(ids, false));
  }
}

class TokenizerVectors : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto text = testing::ReadFile(kFixtures + "/tokenizer_vectors.json");
    if (!text) GTEST_SKIP() << "no " << kFixtures << "/tokenizer_vectors.json";
    vectors_ = boost::json::parse(*text);
  }

  boost::json::value vectors_;
};

TEST_F(TokenizerVectors, Qwen2FromTokenizerJson) {
  const auto json = testing::ReadFile(kFixtures + "/qwen2.5/tokenizer.json");
  if (!json) GTEST_SKIP() << "no " << kFixtures << "/qwen2.5/tokenizer.json";
  const auto tokenizer = Tokenizer::FromJson(*json);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 151665);
  ExpectVectors(**tokenizer, vectors_.at("qwen2_5").as_array(), false);
}

TEST_F(TokenizerVectors, SmolLm2FromGguf) {
  const auto path = testing::DemoModelPath(TANDEM_SOURCE_DIR);
  if (!path) GTEST_SKIP() << "no demo model: set TANDEM_TEST_MODEL, or run make demo";
  const auto model = GgufModel::Open(*path);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto tokenizer = ReadGgufTokenizer((*model)->metadata());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 49152);
  ExpectVectors(**tokenizer, vectors_.at("smollm2").as_array(), true);
}

TEST_F(TokenizerVectors, SmolLm2Prompts) {
  const auto path = testing::DemoModelPath(TANDEM_SOURCE_DIR);
  if (!path) GTEST_SKIP() << "no demo model: set TANDEM_TEST_MODEL, or run make demo";
  const auto golden = testing::ReadFile(kFixtures + "/smollm2/golden.json");
  if (!golden) GTEST_SKIP() << "no " << kFixtures << "/smollm2/golden.json";
  const auto model = GgufModel::Open(*path);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto tokenizer = ReadGgufTokenizer((*model)->metadata());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const boost::json::value document = boost::json::parse(*golden);
  for (const boost::json::value& chat : document.at("chat").as_array()) {
    const auto rendered = boost::json::value_to<std::string>(chat.at("rendered"));
    EXPECT_EQ((*tokenizer)->Encode(rendered, true), Ids(chat.at("prompt_ids"))) << rendered;
  }
  for (const boost::json::value& raw : document.at("raw").as_array()) {
    const auto prompt = boost::json::value_to<std::string>(raw.at("prompt"));
    EXPECT_EQ((*tokenizer)->Encode(prompt, true), Ids(raw.at("prompt_ids"))) << prompt;
  }
  for (const boost::json::value& forced : document.at("teacher_forced").as_array()) {
    const std::vector<int32_t> ids = Ids(forced.at("prompt_ids"));
    EXPECT_EQ((*tokenizer)->Encode((*tokenizer)->Decode(ids, false), false), ids);
  }
}

/// Against the PyPI package tokenizers: tests/data/make_tokenizer_vectors.py.
class TokenizerKinds : public ::testing::TestWithParam<const char*> {};

TEST_P(TokenizerKinds, EncodeAndDecodeTheSame) {
  const auto text =
      testing::ReadFile(std::string(TANDEM_SOURCE_DIR) + "/tests/data/tokenizer_vectors.json");
  ASSERT_TRUE(text.has_value());
  const boost::json::value kind = boost::json::parse(*text).at(GetParam());
  const auto tokenizer = Tokenizer::FromJson(boost::json::serialize(kind.at("tokenizer")));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->bos_token_id(), 1);
  for (const boost::json::value& vector : kind.at("cases").as_array()) {
    const auto original = boost::json::value_to<std::string>(vector.at("text"));
    const std::vector<int32_t> ids = Ids(vector.at("ids"));
    EXPECT_EQ((*tokenizer)->Encode(original, true), ids) << original;
    EXPECT_EQ((*tokenizer)->Decode(ids, true),
              boost::json::value_to<std::string>(vector.at("decoded")))
        << original;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerKinds,
                         ::testing::Values("prepend", "metaspace_first", "metaspace_always",
                                           "llama3"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tandem::model

#include "model/tokenizer/gguf_sentencepiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "model/gguf_reader.h"
#include "model/testing/files.h"
#include "model/testing/gguf_writer.h"
#include "model/tokenizer/gguf_tokenizer.h"

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int32_t kBos = 1, kEos = 2, kUserDefined = 4;
const std::string kVectors =
    std::string(TANDEM_SOURCE_DIR) + "/tests/data/sentencepiece_vectors.json";

/// A model that sentencepiece trained, and what it makes of texts.
class GgufSentencePieceTokenizer : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto text = testing::ReadFile(kVectors);
    ASSERT_TRUE(text.has_value()) << kVectors;
    const boost::json::value document = boost::json::parse(*text);
    tokens_ = boost::json::value_to<std::vector<std::string>>(document.at("tokens"));
    scores_ = boost::json::value_to<std::vector<float>>(document.at("scores"));
    types_ = boost::json::value_to<std::vector<int32_t>>(document.at("types"));
    vectors_ = document.at("vectors").as_array();
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> Read(
      const std::function<void(testing::GgufWriter&)>& add = [](auto&) {}) {
    testing::GgufWriter writer;
    writer.AddString("tokenizer.ggml.model", "llama");
    writer.AddStrings("tokenizer.ggml.tokens", tokens_);
    writer.AddFloat32s("tokenizer.ggml.scores", scores_);
    writer.AddInt32s("tokenizer.ggml.token_type", types_);
    writer.AddUint32("tokenizer.ggml.bos_token_id", kBos);
    writer.AddUint32("tokenizer.ggml.eos_token_id", kEos);
    add(writer);
    const std::string file = writer.Finish();
    const auto contents = ReadGguf(std::as_bytes(std::span(file)));
    if (!contents.ok()) return contents.status();
    return ReadGgufTokenizer(contents->metadata);
  }

  std::string Error() { return std::string(Read().status().message()); }

  void ExpectVectors(const Tokenizer& tokenizer, const char* field) {
    EXPECT_GT(vectors_.size(), 20u);
    for (const boost::json::value& vector : vectors_) {
      const auto text = boost::json::value_to<std::string>(vector.at("text"));
      const auto ids = boost::json::value_to<std::vector<int32_t>>(vector.at(field));
      EXPECT_EQ(tokenizer.Encode(text, false), ids) << text;
      // U+2581 is what spaces are written as, and comes back as one.
      if (text.find("\u2581") != std::string::npos) continue;
      EXPECT_EQ(tokenizer.Decode(ids, false), text);
    }
  }

  std::vector<std::string> tokens_;
  std::vector<float> scores_;
  std::vector<int32_t> types_;
  boost::json::array vectors_;
};

TEST_F(GgufSentencePieceTokenizer, EncodesAsSentencePieceDoes) {
  const auto tokenizer = Read();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), static_cast<int>(tokens_.size()));
  ExpectVectors(**tokenizer, "ids");
}

TEST_F(GgufSentencePieceTokenizer, HonoursAddSpacePrefix) {
  const auto tokenizer =
      Read([](auto& writer) { writer.AddBool("tokenizer.ggml.add_space_prefix", false); });
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  ExpectVectors(**tokenizer, "ids_without_space_prefix");
}

TEST_F(GgufSentencePieceTokenizer, HonoursAddBosAndEos) {
  const auto by_default = Read();
  const auto swapped = Read([](auto& writer) {
    writer.AddBool("tokenizer.ggml.add_bos_token", false);
    writer.AddBool("tokenizer.ggml.add_eos_token", true);
  });
  ASSERT_TRUE(by_default.ok() && swapped.ok());
  const std::vector<int32_t> ids = (*by_default)->Encode("the", false);
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_THAT((*by_default)->Encode("the", true), ElementsAre(kBos, ids[0]));
  EXPECT_THAT((*swapped)->Encode("the", true), ElementsAre(ids[0], kEos));
  EXPECT_EQ((*swapped)->bos_token_id(), kBos);
}

TEST_F(GgufSentencePieceTokenizer, FindsAddedTokensInTheText) {
  tokens_.push_back("[TOOL]");
  scores_.push_back(0);
  types_.push_back(kUserDefined);
  const auto tool = static_cast<int32_t>(tokens_.size() - 1);
  const auto tokenizer = Read();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const int32_t the = (*tokenizer)->Encode("the", false).at(0);
  const std::vector<int32_t> ids = (*tokenizer)->Encode("<s>the</s>[TOOL]the<unk>", false);
  EXPECT_THAT(ids, ElementsAre(kBos, the, kEos, tool, the, 0));
  EXPECT_EQ((*tokenizer)->Decode(ids, false), "<s> the</s>[TOOL] the<unk>");
  EXPECT_EQ((*tokenizer)->Decode(ids, true), "the[TOOL] the");
}

TEST_F(GgufSentencePieceTokenizer, NamesWhatIsWrong) {
  scores_.pop_back();
  EXPECT_THAT(Error(), HasSubstr("tokenizer.ggml.scores has 699 elements; accepted: 700"));
  scores_.push_back(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(Error(), HasSubstr("tokenizer.ggml.scores, element 699 is nan; accepted: a number"));
  scores_.back() = 0;
  tokens_[3] = "<0x0G>";
  EXPECT_THAT(Error(), HasSubstr("the vocabulary has no token <0x00>"));
  types_.pop_back();
  EXPECT_THAT(Error(), HasSubstr("tokenizer.ggml.token_type has 699 elements; accepted: 700"));
}

}  // namespace
}  // namespace tandem::model

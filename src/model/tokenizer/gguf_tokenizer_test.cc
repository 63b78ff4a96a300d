#include "model/tokenizer/gguf_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "model/gguf_reader.h"
#include "model/testing/tiny_model.h"

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<Tokenizer>> Read(const std::string& file) {
  const auto contents = ReadGguf(std::as_bytes(std::span(file)));
  if (!contents.ok()) return contents.status();
  return ReadGgufTokenizer(contents->metadata);
}

/// The tiny model's file with `from` replaced by `to` of the same size.
std::string With(const std::string& from, const std::string& to) {
  std::string file = testing::TinyModelBytes();
  EXPECT_EQ(from.size(), to.size());
  file.replace(file.find(from), from.size(), to);
  return file;
}

std::string ErrorOf(const std::string& file) { return std::string(Read(file).status().message()); }

TEST(GgufTokenizer, EncodesAndDecodes) {
  const auto tokenizer = Read(testing::TinyModelBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 283);
  EXPECT_EQ((*tokenizer)->bos_token_id(), 1);
  EXPECT_EQ((*tokenizer)->eos_token_id(), 2);
  EXPECT_TRUE((*tokenizer)->IsSpecial(2));
  const std::string text = "<|im_start|>the end\nof 12 Zürich 🙂<|im_end|>";
  const std::vector<int32_t> ids = (*tokenizer)->Encode(text, true);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(ids.back(), 2);
  EXPECT_LT(ids.size(), text.size());
  EXPECT_EQ((*tokenizer)->Decode(ids, false), text);
  EXPECT_EQ((*tokenizer)->Decode(ids, true), "the end\nof 12 Zürich 🙂");
}

TEST(GgufTokenizer, ReplacesBrokenUtf8) {
  const auto tokenizer = Read(testing::TinyModelBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->Encode("a\xff", false), (*tokenizer)->Encode("a\ufffd", false));
}

TEST(GgufTokenizer, NamesTheKeyThatIsWrong) {
  EXPECT_THAT(ErrorOf(With("gpt2", "bert")),
              HasSubstr("tokenizer.ggml.model is \"bert\"; accepted: \"gpt2\" or \"llama\""));
  EXPECT_THAT(ErrorOf(With("smollm", "mystic")), HasSubstr("tokenizer.ggml.pre is \"mystic\"; "));
  EXPECT_THAT(ErrorOf(With("Ġ t", "Ġ_t")),
              HasSubstr("tokenizer.ggml.merges, element 0: \"Ġ_t\" is no merge"));
  EXPECT_THAT(ErrorOf(With("h e", "h \x01")), HasSubstr("merge 2 makes use of the token"));
  EXPECT_THAT(ErrorOf(With("tokenizer.ggml.tokens", "tokenizer.ggml.tokenz")),
              HasSubstr("tokenizer.ggml.tokens is missing"));
}

TEST(GgufTokenizer, RefusesSpecialTokensOutsideTheVocabulary) {
  std::string file = testing::TinyModelBytes();
  const std::string key = "tokenizer.ggml.eos_token_id";
  const uint32_t id = 283;
  std::memcpy(file.data() + file.find(key) + key.size() + 4, &id, sizeof(id));
  EXPECT_THAT(ErrorOf(file), HasSubstr("eos_token_id is 283; accepted: 0 to 282"));
}

TEST(IncrementalDetokenizer, HoldsUnfinishedCharactersBack) {
  const auto tokenizer = Read(testing::TinyModelBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::vector<int32_t> ids = (*tokenizer)->Encode("é", false);
  ASSERT_EQ(ids.size(), 2u);
  IncrementalDetokenizer detokenizer(**tokenizer, true);
  EXPECT_EQ(detokenizer.Append(ids[0]), "");
  EXPECT_EQ(detokenizer.Append(2), "");
  EXPECT_EQ(detokenizer.Append(ids[1]), "é");
  EXPECT_EQ(detokenizer.Append(ids[0]), "");
  EXPECT_EQ(detokenizer.Flush(), "\ufffd");
  EXPECT_EQ(detokenizer.Flush(), "");
}

TEST(IncrementalDetokenizer, EqualsDecodingAtOnce) {
  const auto tokenizer = Read(testing::TinyModelBytes());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<int32_t> ids(random() % 40);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 290) - 2;
    const bool skip = random() % 2 == 0;
    IncrementalDetokenizer detokenizer(**tokenizer, skip);
    std::string text;
    for (const int32_t id : ids) text += detokenizer.Append(id);
    text += detokenizer.Flush();
    ASSERT_EQ(text, (*tokenizer)->Decode(ids, skip));
  }
}

}  // namespace
}  // namespace tandem::model

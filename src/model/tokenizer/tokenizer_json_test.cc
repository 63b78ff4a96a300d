#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <string>

#include "model/tokenizer.h"

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A tokenizer of the letters a, b, c and the blank, with one merge.
boost::json::object SmallTokenizer() {
  return boost::json::parse(R"({
    "added_tokens": [
      {"id": 8, "content": "<s>", "special": true, "normalized": false},
      {"id": 9, "content": "<t>", "special": false, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [8], "tokens": ["<s>"]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4, "abc": 5},
              "merges": ["a b"]}})")
      .as_object();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Parse(const boost::json::object& document) {
  return Tokenizer::FromJson(boost::json::serialize(document));
}

/// The error after a change to the small tokenizer.
std::string ErrorAfter(const std::function<void(boost::json::object&)>& change) {
  boost::json::object document = SmallTokenizer();
  change(document);
  return std::string(Parse(document).status().message());
}

TEST(TokenizerJson, EncodesAndDecodes) {
  const auto tokenizer = Parse(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("abc <t>b", true), ElementsAre(8, 4, 2, 3, 9, 1));
  EXPECT_THAT((*tokenizer)->Encode("<s>a", false), ElementsAre(8, 0));
  EXPECT_EQ((*tokenizer)->Decode(std::vector<int32_t>{8, 4, 3, 9}, true), "ab <t>");
  EXPECT_EQ((*tokenizer)->Decode(std::vector<int32_t>{8, 4, 3, 9}, false), "<s>ab <t>");
  EXPECT_EQ((*tokenizer)->vocab_size(), 10);
  EXPECT_EQ((*tokenizer)->bos_token_id(), 8);
  EXPECT_EQ((*tokenizer)->eos_token_id(), -1);
  EXPECT_TRUE((*tokenizer)->IsSpecial(8));
  EXPECT_FALSE((*tokenizer)->IsSpecial(9));
}

TEST(TokenizerJson, GivesNothingForUnknownIds) {
  const auto tokenizer = Parse(SmallTokenizer());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const int32_t id : {-1, 7, 10, 1 << 30}) {
    EXPECT_EQ((*tokenizer)->Bytes(id), "");
    EXPECT_FALSE((*tokenizer)->IsSpecial(id));
  }
  EXPECT_EQ((*tokenizer)->Decode(std::vector<int32_t>{0, -5, 99, 1}, true), "ab");
}

TEST(TokenizerJson, TakesWholePiecesWhereMergesAreIgnored) {
  boost::json::object document = SmallTokenizer();
  document["model"].as_object()["ignore_merges"] = true;
  const auto tokenizer = Parse(document);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("abc", false), ElementsAre(5));
}

TEST(TokenizerJson, ReadsMergesAsPairs) {
  boost::json::object document = SmallTokenizer();
  document["model"].as_object()["merges"] = boost::json::parse(R"([["a", "b"], ["ab", "c"]])");
  const auto tokenizer = Parse(document);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("abc", false), ElementsAre(5));
}

TEST(TokenizerJson, ReadsSequencesOfSplitters) {
  boost::json::object document = SmallTokenizer();
  document["pre_tokenizer"] = boost::json::parse(R"({"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"String": "b"}, "behavior": "Isolated", "invert": false},
    {"type": "Digits", "individual_digits": true},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})");
  const auto tokenizer = Parse(document);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("ab", false), ElementsAre(0, 1));
}

TEST(TokenizerJson, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(std::string(Tokenizer::FromJson("{").status().message()), HasSubstr("no JSON"));
  EXPECT_EQ(std::string(Tokenizer::FromJson("[]").status().message()),
            "the document is not a JSON object");
  EXPECT_EQ(ErrorAfter([](auto& d) { d.erase("model"); }), "model is missing");
  EXPECT_EQ(ErrorAfter([](auto& d) { d["model"].as_object()["type"] = "Unigram"; }),
            "model.type is \"Unigram\"; accepted: \"BPE\"");
  EXPECT_EQ(ErrorAfter([](auto& d) { d["model"].as_object()["byte_fallback"] = true; }),
            "pre_tokenizer.type is \"ByteLevel\"; accepted: \"Metaspace\", where byte_fallback is "
            "true");
  EXPECT_THAT(ErrorAfter([](auto& d) { d["model"].as_object()["vocab"].as_object()["a"] = -1; }),
              HasSubstr("model.vocab.a is -1; accepted: a token id"));
  EXPECT_THAT(ErrorAfter([](auto& d) {
                d["model"].as_object()["merges"] = {"a b", "ab"};
              }),
              HasSubstr("model.merges[1]: \"ab\" is no merge"));
  EXPECT_THAT(ErrorAfter([](auto& d) { d["model"].as_object()["merges"] = {"a z"}; }),
              HasSubstr("merge 0 makes use of the token \"z\""));
  EXPECT_THAT(ErrorAfter([](auto& d) {
                d["pre_tokenizer"] = {{"type", "Metaspace"}};
              }),
              HasSubstr("pre_tokenizer.type is \"Metaspace\"; accepted: "));
  EXPECT_THAT(ErrorAfter([](auto& d) {
                d["normalizer"] = {{"type", "Lowercase"}};
              }),
              HasSubstr("normalizer.type is \"Lowercase\"; accepted: "));
  EXPECT_THAT(ErrorAfter([](auto& d) { d["added_tokens"].as_array()[1].as_object()["id"] = "x"; }),
              HasSubstr("added_tokens[1].id is \"x\"; accepted: a token id"));
  EXPECT_THAT(
      ErrorAfter([](auto& d) { d["post_processor"].as_object()["special_tokens"] = nullptr; }),
      HasSubstr("post_processor.special_tokens is null; accepted: an object"));
}

}  // namespace
}  // namespace tandem::model

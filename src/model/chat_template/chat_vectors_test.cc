#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "model/chat_template/chat_template.h"
#include "model/testing/files.h"

namespace tandem::model {
namespace {

using ::testing::HasSubstr;

const std::string kFixtures = std::string(TANDEM_SOURCE_DIR) + "/../shared/fixtures";

/// Renders each conversation and compares with what transformers renders.
void ExpectRenderings(const std::string& source, const boost::json::array& conversations) {
  const auto chat_template = ChatTemplate::Parse(source);
  ASSERT_TRUE(chat_template.ok()) << chat_template.status();
  EXPECT_GT(conversations.size(), 3u);
  for (const boost::json::value& conversation : conversations) {
    boost::json::object variables = conversation.as_object();
    const auto expected = boost::json::value_to<std::string>(variables["rendered"]);
    variables.erase("rendered");
    if (!variables.contains("add_generation_prompt")) variables["add_generation_prompt"] = true;
    const auto rendered = (*chat_template)->Render(variables);
    ASSERT_TRUE(rendered.ok()) << rendered.status();
    EXPECT_EQ(*rendered, expected);
  }
}

TEST(ChatVectors, Qwen2) {
  const auto config = testing::ReadFile(kFixtures + "/qwen2.5/tokenizer_config.json");
  const auto vectors = testing::ReadFile(kFixtures + "/qwen2.5/chat_vectors.json");
  if (!config || !vectors) GTEST_SKIP() << "no " << kFixtures << "/qwen2.5";
  ExpectRenderings(
      boost::json::value_to<std::string>(boost::json::parse(*config).at("chat_template")),
      boost::json::parse(*vectors).as_array());
}

TEST(ChatVectors, SmolLm2) {
  const auto source = testing::ReadFile(kFixtures + "/smollm2/chat_template.jinja");
  const auto golden = testing::ReadFile(kFixtures + "/smollm2/golden.json");
  if (!source || !golden) GTEST_SKIP() << "no " << kFixtures << "/smollm2";
  ExpectRenderings(*source, boost::json::parse(*golden).at("chat").as_array());
}

void ExpectLike(const absl::StatusOr<std::string>& rendered, const boost::json::object& expected) {
  if (const boost::json::value* text = expected.if_contains("rendered")) {
    ASSERT_TRUE(rendered.ok()) << rendered.status();
    EXPECT_EQ(*rendered, boost::json::value_to<std::string>(*text));
    return;
  }
  ASSERT_FALSE(rendered.ok()) << *rendered;
  EXPECT_THAT(std::string(rendered.status().message()),
              HasSubstr(boost::json::value_to<std::string>(expected.at("raised"))));
}

/// What make_chat_vectors.py wrote: tests/data/chat_vectors.json, or what TANDEM_CHAT_VECTORS
/// names.
TEST(ChatVectors, ToolsAndReasoning) {
  const char* named = std::getenv("TANDEM_CHAT_VECTORS");
  const std::filesystem::path path =
      named != nullptr ? named : TANDEM_SOURCE_DIR "/tests/data/chat_vectors.json";
  const auto text = testing::ReadFile(path);
  ASSERT_TRUE(text.has_value()) << path;
  const boost::json::value vectors = boost::json::parse(*text);
  const std::chrono::system_clock::time_point now{
      std::chrono::seconds(vectors.at("now").as_int64())};
  const boost::json::array& conversations = vectors.at("conversations").as_array();
  ASSERT_FALSE(vectors.at("templates").as_object().empty());
  for (const auto& [file, cases] : vectors.at("templates").as_object()) {
    SCOPED_TRACE(std::string_view(file));
    const auto source = testing::ReadFile(path.parent_path() / std::string_view(file));
    ASSERT_TRUE(source.has_value());
    const auto chat_template = ChatTemplate::Parse(*source);
    ASSERT_TRUE(chat_template.ok()) << chat_template.status();
    ASSERT_EQ(cases.as_array().size(), conversations.size());
    for (size_t i = 0; i < conversations.size(); ++i) {
      SCOPED_TRACE(boost::json::serialize(conversations[i]));
      ExpectLike((*chat_template)->Render(conversations[i].as_object(), now),
                 cases.as_array()[i].as_object());
    }
  }
}

}  // namespace
}  // namespace tandem::model

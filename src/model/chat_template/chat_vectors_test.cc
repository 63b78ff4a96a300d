#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "model/chat_template/chat_template.h"
#include "model/testing/files.h"

namespace tandem::model {
namespace {

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

}  // namespace
}  // namespace tandem::model

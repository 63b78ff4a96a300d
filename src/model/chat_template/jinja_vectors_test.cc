#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "model/chat_template/chat_template.h"
#include "model/testing/files.h"

namespace tandem::model {
namespace {

/// Templates with what Jinja2 renders them to (tests/data/make_jinja_vectors.py).
class JinjaVectors : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto text =
        testing::ReadFile(std::string(TANDEM_SOURCE_DIR) + "/tests/data/jinja_vectors.json");
    ASSERT_TRUE(text.has_value());
    vectors_ = boost::json::parse(*text);
  }

  absl::StatusOr<std::string> Render(const std::string& source) const {
    const auto chat_template = ChatTemplate::Parse(source);
    if (!chat_template.ok()) return chat_template.status();
    return (*chat_template)->Render(vectors_.at("variables").as_object());
  }

  boost::json::value vectors_;
};

TEST_F(JinjaVectors, RenderAlike) {
  EXPECT_GT(vectors_.at("renders").as_array().size(), 50u);
  for (const boost::json::value& vector : vectors_.at("renders").as_array()) {
    const auto source = boost::json::value_to<std::string>(vector.at("template"));
    const auto rendered = Render(source);
    ASSERT_TRUE(rendered.ok()) << source << "\n" << rendered.status();
    EXPECT_EQ(*rendered, boost::json::value_to<std::string>(vector.at("rendered"))) << source;
  }
}

TEST_F(JinjaVectors, FailAlike) {
  EXPECT_GT(vectors_.at("fails").as_array().size(), 30u);
  for (const boost::json::value& vector : vectors_.at("fails").as_array()) {
    const auto source = boost::json::value_to<std::string>(vector);
    EXPECT_EQ(Render(source).status().code(), absl::StatusCode::kInvalidArgument) << source;
  }
}

}  // namespace
}  // namespace tandem::model

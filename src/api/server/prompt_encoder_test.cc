#include "api/server/prompt_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/server/testing/letter_tokenizer.h"
#include "model/chat_template/chat_template.h"

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PromptEncoderTest : public ::testing::Test {
 protected:
  static Conversation Say(const std::string& role, const std::string& content) {
    Conversation conversation;
    conversation.messages.push_back(boost::json::object{{"role", role}, {"content", content}});
    return conversation;
  }
  std::string ErrorOf(const Prompt& prompt) const {
    return std::string(encoder_.Encode(prompt, true).status().message());
  }

  const LetterTokenizer tokenizer_;
  const ColonTemplate template_;
  // The model has logits that the tokenizer, of 257 tokens, knows nothing of.
  const ServedModel model_{.names = {"m"},
                           .max_model_len = 32,
                           .vocab_size = 260,
                           .tokenizer = &tokenizer_,
                           .chat_template = &template_};
  const PromptEncoder encoder_{model_};
};

TEST_F(PromptEncoderTest, EncodesTextWithSpecialTokensAndIdsAsTheyAre) {
  EXPECT_THAT(*encoder_.Encode(Prompt("ab"), true), ElementsAre(256, 'a', 'b'));
  EXPECT_THAT(*encoder_.Encode(Prompt(std::vector<int32_t>{5, 6}), true), ElementsAre(5, 6));
}

TEST_F(PromptEncoderTest, RefusesPromptsThatLeaveNoRoom) {
  EXPECT_THAT(ErrorOf(Prompt(std::string(31, 'a'))),
              HasSubstr("maximum context length is 32 tokens. However, your request has 32 input"));
  EXPECT_TRUE(encoder_.Encode(Prompt(std::string(30, 'a')), true).ok());
  EXPECT_THAT(ErrorOf(Prompt(std::string(1 << 20, 'a'))), HasSubstr("has at least"));
  EXPECT_THAT(ErrorOf(Prompt(std::vector<int32_t>(32, 1))), HasSubstr("has 32 input tokens"));
}

TEST_F(PromptEncoderTest, RefusesEmptyPromptsAndUnknownIds) {
  EXPECT_THAT(std::string(encoder_.Encode(Prompt(""), false).status().message()),
              HasSubstr("prompt must have at least one token"));
  EXPECT_EQ(ErrorOf(Prompt(std::vector<int32_t>{259})), "");
  EXPECT_THAT(ErrorOf(Prompt(std::vector<int32_t>{260})),
              HasSubstr("prompt has token id 260; ids from 0 to 259 are accepted"));
}

TEST_F(PromptEncoderTest, RendersConversationsByTheTemplate) {
  EXPECT_EQ(*encoder_.Render(Say("user", "hi")), "user:hi;assistant:");
  EXPECT_THAT(std::string(encoder_.Render(Say("nobody", "hi")).status().message()),
              HasSubstr("chat template says: nobody may speak"));
}

TEST_F(PromptEncoderTest, GivesTemplatesTheToolsOrNone) {
  const auto parsed = model::ChatTemplate::Parse(
      "{% if tools is none %}none{% else %}{% for tool in tools %}{{ tool.function.name }}{% "
      "endfor "
      "%}{% endif %}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ServedModel model = model_;
  model.chat_template = parsed->get();
  Conversation conversation = Say("user", "hi");
  EXPECT_EQ(*PromptEncoder(model).Render(conversation), "none");
  conversation.tools = {{{"type", "function"}, {"function", {{"name", "f"}}}}};
  EXPECT_EQ(*PromptEncoder(model).Render(conversation), "f");
}

TEST_F(PromptEncoderTest, AContinuedMessageEndsWithItsText) {
  Conversation conversation = Say("assistant", "Once upon ");
  conversation.add_generation_prompt = false;
  conversation.continue_final_message = true;
  EXPECT_EQ(*encoder_.Render(conversation), "assistant:Once upon");
}

TEST_F(PromptEncoderTest, AModelWithoutTemplateCannotChat) {
  ServedModel model = model_;
  model.chat_template = nullptr;
  EXPECT_THAT(std::string(PromptEncoder(model).Render(Say("user", "hi")).status().message()),
              HasSubstr("has no chat template"));
}

TEST_F(PromptEncoderTest, LimitsMaxTokensToTheContext) {
  EXPECT_EQ(*encoder_.MaxTokens(30, std::nullopt, 16), 2);
  EXPECT_EQ(*encoder_.MaxTokens(10, std::nullopt, 16), 16);
  EXPECT_EQ(*encoder_.MaxTokens(10, 22, 16), 22);
  EXPECT_THAT(std::string(encoder_.MaxTokens(10, 23, 16).status().message()),
              HasSubstr("'max_tokens' or 'max_completion_tokens' is too large: 23"));
}

TEST_F(PromptEncoderTest, TheCheckpointLimitsMaxTokensWhateverIsAskedFor) {
  ServedModel model = model_;
  model.generation.max_new_tokens = 7;
  const PromptEncoder encoder(model);
  EXPECT_EQ(*encoder.MaxTokens(10, std::nullopt, 16), 7);
  EXPECT_EQ(*encoder.MaxTokens(30, std::nullopt, 16), 2);
  EXPECT_EQ(*encoder.MaxTokens(10, 22, 16), 7);
  EXPECT_EQ(*encoder.MaxTokens(10, 3, 16), 3);
  EXPECT_FALSE(encoder.MaxTokens(10, 23, 16).ok());
}

}  // namespace
}  // namespace tandem::api

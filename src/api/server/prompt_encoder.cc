#include "api/server/prompt_encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/schema/error.h"
#include "base/status.h"

namespace tandem::api {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

std::string TokenText(const model::Tokenizer& tokenizer, int32_t id) {
  return id < 0 ? std::string() : std::string(tokenizer.Bytes(id));
}

}  // namespace

PromptEncoder::PromptEncoder(const ServedModel& model) : model_(model) {
  for (int32_t id = 0; id < model.tokenizer->vocab_size(); ++id) {
    longest_token_bytes_ = std::max(longest_token_bytes_, model.tokenizer->Bytes(id).size());
  }
}

absl::Status PromptEncoder::CheckLength(size_t prompt_tokens) const {
  if (prompt_tokens == 0)
    return FieldError("prompt", "prompt must have at least one token, got none");
  if (prompt_tokens < static_cast<size_t>(model_.max_model_len)) return absl::OkStatus();
  return FieldError("prompt",
                    fmt::format("This model's maximum context length is {} tokens. However, "
                                "your request has {} input tokens. Please reduce the length "
                                "of the input messages.",
                                model_.max_model_len, prompt_tokens));
}

absl::StatusOr<std::vector<int32_t>> PromptEncoder::EncodeText(std::string_view text,
                                                               bool add_special_tokens) const {
  // So long a text has too many tokens however it is cut: there is no need to tokenize it.
  const size_t least_tokens = text.size() / longest_token_bytes_;
  if (least_tokens >= static_cast<size_t>(model_.max_model_len)) {
    return FieldError(
        "prompt", fmt::format("This model's maximum context length is {} tokens. However, your "
                              "request has at least {} input tokens. Please reduce the length of "
                              "the input messages.",
                              model_.max_model_len, least_tokens));
  }
  std::vector<int32_t> ids = model_.tokenizer->Encode(text, add_special_tokens);
  RETURN_IF_ERROR(CheckLength(ids.size()));
  return ids;
}

absl::StatusOr<std::vector<int32_t>> PromptEncoder::Encode(const Prompt& prompt,
                                                           bool add_special_tokens) const {
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    return EncodeText(*text, add_special_tokens);
  }
  const auto& ids = std::get<std::vector<int32_t>>(prompt);
  RETURN_IF_ERROR(CheckLength(ids.size()));
  for (const int32_t id : ids) {
    if (id < model_.vocab_size) continue;
    return FieldError("prompt", fmt::format("prompt has token id {}; ids from 0 to {} are accepted",
                                            id, model_.vocab_size - 1));
  }
  return ids;
}

absl::StatusOr<std::vector<int32_t>> PromptEncoder::Encode(const Conversation& conversation) const {
  ASSIGN_OR_RETURN(const std::string text, Render(conversation));
  return EncodeText(text, conversation.add_special_tokens);
}

absl::StatusOr<std::string> PromptEncoder::Render(const Conversation& conversation) const {
  if (model_.chat_template == nullptr) {
    return FieldError("messages",
                      "messages: the model has no chat template; send a prompt to /v1/completions");
  }
  const model::Tokenizer& tokenizer = *model_.tokenizer;
  boost::json::object variables = conversation.template_variables;
  variables["messages"] = conversation.messages;
  // Templates find both as none where there are none: so transformers calls them.
  variables["tools"] = nullptr;
  if (!conversation.tools.empty()) variables["tools"] = conversation.tools;
  variables.emplace("documents", nullptr);
  variables["add_generation_prompt"] = conversation.add_generation_prompt;
  variables["bos_token"] = TokenText(tokenizer, tokenizer.bos_token_id());
  variables["eos_token"] = TokenText(tokenizer, tokenizer.eos_token_id());
  absl::StatusOr<std::string> text = model_.chat_template->Render(variables);
  if (!text.ok()) {
    return FieldError("messages", fmt::format("messages: the model's chat template says: {}",
                                              std::string(text.status().message())));
  }
  if (!conversation.continue_final_message) return text;

  const boost::json::value& last = conversation.messages.back().as_object().at("content");
  const std::string_view content = Trim(std::string_view(last.get_string()));
  const size_t at = text->rfind(content);
  if (content.empty() || at == std::string::npos) {
    return FieldError("continue_final_message",
                      "continue_final_message: the last message's text is not in the rendered "
                      "prompt, so that nothing can be continued");
  }
  return text->substr(0, at + content.size());
}

absl::StatusOr<int> PromptEncoder::MaxTokens(int prompt_tokens, std::optional<int> requested,
                                             int otherwise) const {
  const int room = model_.max_model_len - prompt_tokens;
  const int most = model_.generation.max_new_tokens.value_or(room);
  if (!requested) return std::min({otherwise, room, most});
  if (*requested <= room) return std::min(*requested, most);
  return FieldError(
      "max_tokens",
      fmt::format("'max_tokens' or 'max_completion_tokens' is too large: {}. This "
                  "model's maximum context length is {} tokens and your request has {} "
                  "input tokens ({} > {} - {}).",
                  *requested, model_.max_model_len, prompt_tokens, *requested, model_.max_model_len,
                  prompt_tokens));
}

}  // namespace tandem::api

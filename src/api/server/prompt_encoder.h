#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "api/schema/chat_request.h"
#include "api/schema/completion_request.h"
#include "api/server/served_model.h"

namespace tandem::api {

/// Turns prompts and conversations into token ids. Const and safe for use by several threads.
class PromptEncoder {
 public:
  explicit PromptEncoder(const ServedModel& model);

  /// InvalidArgument if it is empty, has an id outside the model's vocabulary, or leaves no room
  /// for a token in the context.
  absl::StatusOr<std::vector<int32_t>> Encode(const Prompt& prompt, bool add_special_tokens) const;

  /// The same for a conversation, by the checkpoint's chat template.
  absl::StatusOr<std::vector<int32_t>> Encode(const Conversation& conversation) const;

  /// The conversation as text. InvalidArgument if there is no template, or with the template's own
  /// complaint.
  absl::StatusOr<std::string> Render(const Conversation& conversation) const;

  /// How many tokens may follow a prompt of that length: what was asked for, else `otherwise` as
  /// far as the context reaches; never more than the checkpoint's max_new_tokens. InvalidArgument
  /// if what was asked for does not fit the context.
  absl::StatusOr<int> MaxTokens(int prompt_tokens, std::optional<int> requested,
                                int otherwise) const;

 private:
  absl::StatusOr<std::vector<int32_t>> EncodeText(std::string_view text,
                                                  bool add_special_tokens) const;
  absl::Status CheckLength(size_t prompt_tokens) const;

  const ServedModel& model_;
  size_t longest_token_bytes_ = 1;
};

}  // namespace tandem::api

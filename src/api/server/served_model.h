#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/chat_template/chat_template.h"
#include "model/model_config.h"
#include "model/tokenizer.h"

namespace tandem::api {

/// The model as the API shows it. What it points to outlives it; const while it is served, and safe
/// for use by several threads.
struct ServedModel {
  std::vector<std::string>
      names;            ///< By which requests may ask for it; the first names it in replies.
  std::string root;     ///< What was loaded.
  int64_t created = 0;  ///< Seconds since 1970.
  int max_model_len = 0;
  int vocab_size = 0;  ///< Of the model's logits, which may be more than the tokenizer's.
  const model::Tokenizer* tokenizer = nullptr;
  const model::ChatTemplate* chat_template = nullptr;  ///< Null if the checkpoint has none.
  model::GenerationDefaults generation;
  std::string kv_namespace;  ///< Of its cache entries; empty without a cache.
  std::string kv_role;       ///< "kv_producer", ...; empty without a cache.
  /// Most that logprobs, top_logprobs and prompt_logprobs may ask for; -1: the whole vocabulary.
  int max_logprobs = 20;
  bool priority_scheduling = false;  ///< Whether requests may have a priority.

  /// OK if a request may ask for `name` (empty: for any); else NotFound with the names it may use.
  absl::Status CheckName(const std::string& name) const;
};

}  // namespace tandem::api
